"""The attention contract: a good function passes whole, and each bad one fails exactly its check."""

from collections.abc import Callable

import pytest

from modelry_registry import Registry
from modelry_testing import AttentionContract
from modelry_testing.outcomes import PASSED, SKIPPED

ATTENDING, DECLARED = "/attending.py", "/_plugin.py"
HEADS = "    k, v = (one.repeat_interleave(group, dim=1) for one in (k, v))  # (B, H, W, E)\n"
SCORES = "torch.matmul(q * scale, k.transpose(2, 3))"
FORBIDDEN = "    forbidden = mask.additive(scores.dtype)\n"
PRODUCT = "    return torch.matmul(weights, v)\n"
REFUSAL = "    if mask.weights is not None:\n"
HELP = '            help="Plain'


def test_a_good_function_fails_nothing(in_process: Callable, outcomes: Callable) -> None:
    found = outcomes(AttentionContract, in_process("attention", "good-function"), "good-function")
    assert not [one for one in found if one.status not in (PASSED, SKIPPED)]
    assert not [one for one in found if one.status == SKIPPED and "package" not in one.reason]


SEEDS = {
    "own-scale": ("test_causal", [(ATTENDING, SCORES, "torch.matmul(q, k.transpose(2, 3)) * q.shape[3] ** -0.5")]),
    "sees-the-future": ("test_causal", [(ATTENDING, "elif mask.causal:", "elif mask.causal and False:")]),
    "heads-in-turn": (
        "test_grouped_heads",
        [(ATTENDING, HEADS, "    k, v = (one.repeat(1, group, 1, 1) for one in (k, v))\n")],
    ),
    "forgets-windows": (
        "test_windows",
        [
            (
                ATTENDING,
                FORBIDDEN,
                "    if mask.sight is not None and mask.sight.texts is None:\n        mask.sight.window = None\n"
                + FORBIDDEN,
            )
        ],
    ),
    "sees-the-tail": (
        "test_caches",
        [
            (
                ATTENDING,
                FORBIDDEN,
                FORBIDDEN + "    if q.shape[2] == 1 and mask.sight is not None and mask.sight.texts is None:\n"
                "        forbidden = None\n",
            )
        ],
    ),
    "empty-rows": (
        "test_padding",
        [
            (
                ATTENDING,
                FORBIDDEN,
                FORBIDDEN + "    if mask.sight is not None and mask.sight.causal and mask.sight.texts is not None:\n"
                "        real = mask.sight.columns()[:, None, None].bool()\n"
                "        forbidden = forbidden.masked_fill(~real, float('-inf'))\n"
                "        forbidden = forbidden if not mask.sight.several else mask.additive(scores.dtype)\n",
            )
        ],
    ),
    "one-text-for-all": (
        "test_packed",
        [(ATTENDING, FORBIDDEN, "    if mask.sight is not None:\n        mask.sight.several = False\n" + FORBIDDEN)],
    ),
    "adds-nothing": ("test_biases", [(ATTENDING, FORBIDDEN, "    mask.bias = None\n" + FORBIDDEN)]),
    "declares-no-biases": ("test_biases", [(DECLARED, HELP, "            biases=False,\n" + HELP)]),
    "declares-no-patterns": ("test_patterns", [(DECLARED, HELP, "            patterns=False,\n" + HELP)]),
    "declares-weights": ("test_weights", [(DECLARED, HELP, "            weights=True,\n" + HELP)]),
    "hides-weights": ("test_weights", [(ATTENDING, REFUSAL, "    if mask.weights is None and mask.parts == ():\n")]),
    "caps-nothing": ("test_softcap", [(ATTENDING, "    if softcap:\n", "    if softcap < 0:\n")]),
    "drops-nothing": ("test_dropout", [(ATTENDING, ", dropout)", ", 0.0)")]),
    "values-without-gradient": ("test_gradients", [(ATTENDING, PRODUCT, PRODUCT.replace("v)", "v.detach())"))]),
    "first-layer-for-all": (
        "test_shared_masks",
        [(ATTENDING, PRODUCT, '    return mask.once("mine", lambda: torch.matmul(weights, v))\n')],
    ),
    "scales-in-place": ("test_shared_masks", [(ATTENDING, SCORES, SCORES.replace("q * scale", "q.mul_(scale)"))]),
    "stays-wide": (
        "test_bfloat16",
        [(ATTENDING, PRODUCT, PRODUCT.replace("weights, v", "weights.float(), v.float()"))],
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_function_fails_its_check(
    seed: str, in_process: Callable[..., Registry], failures: Callable[..., dict[str, str]]
) -> None:
    expected, edits = SEEDS[seed]
    found = failures(AttentionContract, in_process("attention", seed, edits), seed)
    assert set(found) == {expected}, found
