"""Failures are told by their item, and harm no other."""

import io
import sys
from typing import Any

import pytest

from modelry.errors import BrokenPlugin, ModelryWarning, PipelineError
from modelry.pipelines import Pipeline


def test_a_failing_item_is_named(adder: Pipeline[Any]) -> None:
    with pytest.raises(PipelineError, match=r"add: item 1 \('b!'\) failed: RuntimeError: poison") as caught:
        adder(["a", "b!", "c"])
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_failing_item_inside_a_batch_is_found(adder: Pipeline[Any]) -> None:
    with pytest.raises(PipelineError, match=r"item 2 \('c!'\)"):
        adder(["a", "b", "c!", "d"], batch_size=4)


def test_a_single_input_has_no_number(adder: Pipeline[Any]) -> None:
    with pytest.raises(PipelineError, match=r"add: the input \('!'\) failed"):
        adder("!")


def test_a_long_item_is_shortened(adder: Pipeline[Any]) -> None:
    with pytest.raises(PipelineError) as caught:
        adder("!" * 100_000)
    assert len(str(caught.value)) < 200


def test_an_item_of_the_wrong_type(adder: Pipeline[Any]) -> None:
    with pytest.raises(PipelineError, match=r"item 1 \(7\) failed: TypeError: a text is needed, found int"):
        adder(["a", 7])


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_on_error_return_keeps_the_others_in_order(adder: Pipeline[Any], size: int) -> None:
    answers = adder(["a", "!", 7, "b", "c!", "d"], batch_size=size, on_error="return")
    assert [answer["text"] for answer in answers if not isinstance(answer, PipelineError)] == ["a", "b", "d"]
    failed = [(position, str(answer)) for position, answer in enumerate(answers) if isinstance(answer, PipelineError)]
    assert [position for position, _ in failed] == [1, 2, 4]
    assert all(f"item {position} " in text for position, text in failed)


def test_a_piece_that_fails_fails_its_item_alone(adder: Pipeline[Any]) -> None:
    answers = adder(["a b", "c ! d", "e"], words=True, batch_size=2, on_error="return")
    assert isinstance(answers[1], PipelineError)
    assert [part["text"] for part in answers[0] + answers[2]] == ["a", "b", "e"]


def test_answers_before_the_failure_are_given_first(adder: Pipeline[Any]) -> None:
    results = adder(iter(["a", "b", "!", "c"]), batch_size=4)
    assert [next(results)["text"], next(results)["text"]] == ["a", "b"]
    with pytest.raises(PipelineError, match="item 2"):
        next(results)


def test_an_unknown_on_error_is_refused(adder: Pipeline[Any]) -> None:
    with pytest.raises(ValueError, match="'raise' or 'return'"):
        adder(["a"], on_error="ignore")  # type: ignore[arg-type]


def test_a_batch_that_fails_where_its_items_do_not_is_told(
    adder: Pipeline[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = adder.forward

    def too_large(batch: dict[str, Any], parameters: Any) -> Any:
        if len(batch["input_ids"]) > 1:
            raise RuntimeError("out of memory")
        return forward(batch, parameters)

    monkeypatch.setattr(adder, "forward", too_large)
    with pytest.warns(ModelryWarning, match="a batch of 2 failed .*out of memory.* use a smaller batch_size"):
        answers = adder(["a", "b"], batch_size=2)
    assert [answer["text"] for answer in answers] == ["a", "b"]


def test_a_broken_plugin_is_nobodys_item(adder: Pipeline[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(batch: dict[str, Any], parameters: Any) -> Any:
        raise BrokenPlugin("decoders:beam-search is broken")

    monkeypatch.setattr(adder, "forward", broken)
    with pytest.raises(BrokenPlugin):
        adder(["a", "b"], on_error="return")


def test_ctrl_c_goes_through(adder: Pipeline[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(batch: dict[str, Any], parameters: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(adder, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        adder(["a", "b"], on_error="return")


def test_a_data_set_that_gives_no_row(adder: Pipeline[Any]) -> None:
    class Holey:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> str:
            if index == 1:
                raise OSError("unreadable")
            return "a"

    results = adder(Holey())
    assert next(results)["text"] == "a"
    with pytest.raises(PipelineError, match=r"Holey.* no row 1: OSError: unreadable"):
        next(results)


def test_a_progress_bar_only_when_wanted_or_in_a_terminal(
    adder: Pipeline[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    adder(["a", "b"])
    assert capsys.readouterr().err == ""
    adder(["a", "b"], progress=True)
    assert "2/2" in capsys.readouterr().err

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    adder(["a", "b"])
    assert terminal.getvalue().strip() == "", "short work shows nothing"
