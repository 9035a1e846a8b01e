"""The quantizer contract: a good scheme passes whole, and each bad one fails exactly its check."""

from collections.abc import Callable

import pytest

from modelry_registry import Registry
from modelry_testing import QuantizerContract
from modelry_testing.outcomes import PASSED, SKIPPED

QUANTIZING, PARAMETERS = "/quantizing.py", "/parameters.py"
SAID = {"error": 0.02, "impossible": ({"modules_to_not_convert": 3}, {"no_such_key": 1})}
SWAP = "    def swap(self, model: nn.Module) -> None:\n"
FINISH = "    def finish(self, model: nn.Module) -> None:\n        with torch.no_grad():\n            {}\n\n"


def test_a_good_scheme_fails_nothing(in_process: Callable, outcomes: Callable) -> None:
    found = outcomes(QuantizerContract, in_process("quantizer", "good-scheme"), "good-scheme", **SAID)
    assert not [one for one in found if one.status not in (PASSED, SKIPPED)]
    assert not [one for one in found if one.status == SKIPPED and "package" not in one.reason]


SEEDS = {
    "large-error": ("test_error", [(QUANTIZING, "LARGEST = 127", "LARGEST = 7")]),
    "not-packed": (
        "test_size",
        [(QUANTIZING, "dtype=torch.int8))", "dtype=torch.float32))"), (QUANTIZING, ".to(torch.int8)", "")],
    ),
    "drifts": (
        "test_round_trip",
        [
            (
                QUANTIZING,
                SWAP,
                FINISH.format("[one.mul_(1.0001) for name, one in model.named_buffers() if 'scale' in name]") + SWAP,
            )
        ],
    ),
    "hides-sizes": (
        "test_layer_names",
        [(QUANTIZING, "self.in_features, self.out_features = inputs, outputs", "pass")],
    ),
    "rounds-embeddings": (
        "test_untouched",
        [
            (
                QUANTIZING,
                SWAP,
                FINISH.format("table = model.get_input_embeddings().weight; table.copy_(table.half().float())") + SWAP,
            )
        ],
    ),
    "rolls-dice": (
        "test_determinism",
        [(QUANTIZING, "(wide / scale).round()", "(wide / scale + torch.rand(1) / 2 - 0.25).round()")],
    ),
    "accepts-any-key": ("test_parameters", [(PARAMETERS, 'extra="forbid"', 'extra="ignore"')]),
    "wrong-method": ("test_parameters", [(QUANTIZING, 'method = "wrong-method"', 'method = "right-method"')]),
    "crashes-in-bfloat16": (
        "test_bfloat16",
        [(QUANTIZING, "(self.packed * self.scale).to(x.dtype)", "self.packed * self.scale")],
    ),
    "fails-to-load": (
        "test_loads",
        [(QUANTIZING, "        packed, scale = pack_rows(tensor)\n", "        packed, scale = pack_rows(tensor.T)\n")],
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_scheme_fails_its_check(
    seed: str, in_process: Callable[..., Registry], failures: Callable[..., dict[str, str]]
) -> None:
    expected, edits = SEEDS[seed]
    found = failures(QuantizerContract, in_process("quantizer", seed, edits), seed, **SAID)
    assert set(found) == {expected}, found
