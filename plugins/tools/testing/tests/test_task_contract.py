"""The task contract: a good task passes whole, and each bad one fails exactly its check."""

from collections.abc import Callable

import pytest

from modelry_registry import Registry
from modelry_testing import TaskContract
from modelry_testing.outcomes import PASSED, SKIPPED

SCORING = "/scoring.py"
SAID = {"bad_item": "", "impossible": ({"add_special_tokens": "perhaps"},)}
PREPROCESS = "    def preprocess("


def test_a_good_task_fails_nothing(in_process: Callable, outcomes: Callable) -> None:
    found = outcomes(TaskContract, in_process("task", "good-task"), "good-task", **SAID)
    assert not [one for one in found if one.status not in (PASSED, SKIPPED)]
    assert not [one for one in found if one.status == SKIPPED and "package" not in one.reason]


SEEDS = {
    "counts-padding": (
        "test_batching",
        [(SCORING, "counted = (mask[:, 1:] * mask[:, :-1]).bool()", "counted = ids[:, 1:] >= 0")],
    ),
    "accepts-any-value": (
        "test_parameters",
        [(SCORING, "add_special_tokens: bool = True", "add_special_tokens: Any = True")],
    ),
    "answers-anything": (
        "test_bad_item",
        [(SCORING, "        if len(ids) < 2:\n", "        ids = ids or [1, 2]\n        if len(ids) < 2:\n")],
    ),
    "forgets-the-place": (
        "test_bad_item",
        [
            (
                SCORING,
                PREPROCESS,
                "    def __call__(self, *given, **named):\n        try:\n"
                "            return super().__call__(*given, **named)\n"
                "        except Exception as error:\n            from modelry.errors import PipelineError\n\n"
                "            if 'item' not in str(error):\n                raise\n"
                "            raise PipelineError('something failed') from None\n\n" + PREPROCESS,
            )
        ],
    ),
    "answers-by-mood": (
        "test_one_item",
        [(SCORING, 'float(output["log_likelihood"])', 'float(output["log_likelihood"]) * torch.rand(1).item()')],
    ),
    "reads-ahead": (
        "test_generator",
        [
            (
                SCORING,
                PREPROCESS,
                "    def __call__(self, inputs, **named):\n        read = hasattr(inputs, '__next__')\n"
                "        return super().__call__(list(inputs) if read else inputs, **named)\n\n" + PREPROCESS,
            )
        ],
    ),
    "whispers": (
        "test_streamed_text",
        [(SCORING, PREPROCESS, "    def stream(self, item, **_):\n        yield 'psst'\n\n" + PREPROCESS)],
    ),
    "saves-nothing": (
        "test_saved",
        [
            (
                SCORING,
                PREPROCESS,
                "    def save_pretrained(self, at):\n        self.model.save_pretrained(at)\n\n" + PREPROCESS,
            )
        ],
    ),
    "single-answer": (
        "test_list",
        [
            (
                SCORING,
                PREPROCESS,
                "    def __call__(self, inputs, **named):\n        found = super().__call__(inputs, **named)\n"
                "        return tuple(found) if isinstance(inputs, tuple) else found\n\n" + PREPROCESS,
            )
        ],
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_task_fails_its_check(
    seed: str, in_process: Callable[..., Registry], failures: Callable[..., dict[str, str]]
) -> None:
    expected, edits = SEEDS[seed]
    found = failures(TaskContract, in_process("task", seed, edits), seed, **SAID)
    assert set(found) == {expected}, found
