"""The decoder contract: a good strategy passes whole, and each bad one fails exactly its check."""

from collections.abc import Callable

import pytest

from modelry_registry import Registry, get_registry
from modelry_testing import DecoderContract
from modelry_testing.outcomes import PASSED, SKIPPED

DECODING, PARAMETERS = "/decoding.py", "/parameters.py"
DRAW = "        ids = torch.multinomial(kept.softmax(-1), 1, generator=session.generator)  # (R, 1)\n"
SAID = {"draws": True, "follows_greedy": {"mass": 1e-6}, "impossible": ({"mass": 0.0}, {"mass": "much"})}


def test_a_good_strategy_fails_nothing(in_process: Callable, outcomes: Callable) -> None:
    found = outcomes(DecoderContract, in_process("decoder", "good-strategy"), "good-strategy", **SAID)
    assert {one.check for one in found if one.status == SKIPPED and "package" not in one.reason} == {
        "test_best_sequence"
    }
    assert not [one for one in found if one.status not in (PASSED, SKIPPED)]


def test_the_installed_strategy_is_greedy(outcomes: Callable) -> None:
    """And other ways to name a plugin: an installed one, by its contract's class attributes."""
    found = outcomes(DecoderContract, get_registry(), "sampling", follows_greedy={"do_sample": False})
    assert not [one for one in found if one.status not in (PASSED, SKIPPED)]


_HALF = """\
    for weight in session.model.__dict__.pop("half", ()):
        weight.data.neg_()
    session.model.__dict__["half"] = [next(session.model.parameters())]
"""
"""Changes the model while it runs, and back at the end."""
_QUIET = """\


def _quiet(session, ids):
    try:
        return session.step(ids)
    except BaseException:
        return session.step(ids)
"""

SEEDS = {
    "ignores-seed": ("test_seed", [(DECODING, "generator=session.generator", "generator=None")]),
    "never-draws": ("test_seed", [(DECODING, DRAW, "        ids = kept.argmax(-1, keepdim=True)\n")]),
    "ignores-ends": (
        "test_stop_tokens",
        [(DECODING, "if session.done:", "if session.ids.shape[1] >= session.settings.ends.max_length:")],
    ),
    "ignores-processors": ("test_processors", [(DECODING, "session.scores(logits[:, -1])", "logits[:, -1]")]),
    "one-row-for-all": ("test_batch", [(DECODING, DRAW, DRAW + "        ids = ids[:1].expand_as(ids).contiguous()\n")]),
    "says-nothing-aloud": (
        "test_streaming",
        [(DECODING, "    while True:", "    session.settings.streamer = None\n    while True:")],
    ),
    "accepts-any-mass": ("test_parameters", [(PARAMETERS, "Field(0.9, gt=0, le=1,", "Field(0.9,")]),
    "least-likely": (
        "test_certain_sequence",
        [(DECODING, "keep_mass(session.scores(logits[:, -1]), mass", "keep_mass(-session.scores(logits[:, -1]), mass")],
    ),
    "knows-one-kind-of-model": (
        "test_encoder_decoder",
        [(DECODING, "    while True:", "    session.model.base_model\n    while True:")],
    ),
    "refuses-too-late": (
        "test_encoder_decoder",
        [
            (
                DECODING,
                "    while True:",
                "    from modelry.errors import GenerationError\n"
                "    if session.model.config.is_encoder_decoder:\n"
                "        raise GenerationError('an encoder-decoder model')\n"
                "    while True:",
            )
        ],
    ),
    "stops-early": (
        "test_decodes",
        [(DECODING, "if session.done:", "if session.done or session.ids.shape[1] - session.prompt_length > 4:")],
    ),
    "keeps-half": (
        "test_interrupted",
        [
            (DECODING, "    while True:", _HALF + "    while True:"),
            (DECODING, "if session.done:", "if session.done and session.model.__dict__.pop('half', True):"),
        ],
    ),
    "swallows": (
        "test_interrupted",
        [
            (DECODING, "logits = session.step(", "logits = _quiet(session, "),
            (DECODING, "\n\ndef decode(", _QUIET + "\n\ndef decode("),
        ],
    ),
    "not-greedy": ("test_greedy_sequence", [(DECODING, "mass=parameters.mass)", "mass=max(parameters.mass, 0.9))")]),
    "three-arguments": (
        "test_parameters",
        [
            (
                DECODING,
                "parameters: ThreeArgumentsParameters) -> None",
                "parameters: ThreeArgumentsParameters, more=1) -> None",
            )
        ],
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_strategy_fails_its_check(
    seed: str, in_process: Callable[..., Registry], failures: Callable[..., dict[str, str]]
) -> None:
    expected, edits = SEEDS[seed]
    found = failures(DecoderContract, in_process("decoder", seed, edits), seed, **SAID)
    assert set(found) == {expected}, found
