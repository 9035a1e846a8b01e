"""Answers, held against every span of every window, scored from the logits of transformers' model."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from click.testing import CliRunner

from modelry import pipeline
from modelry.cli.run import run
from modelry.errors import PipelineError, PreprocessorError

QUESTION = "where is the inn?"
CONTEXT = "The inn is by the sea, and the windmill's tin roof came with the rain. Then the innkeeper came."
LONG = CONTEXT + " Who is the rain of the sea? " + CONTEXT
ROW = {"question": QUESTION, "context": CONTEXT}


def expected_answers(
    folder: Path, context: str, *, window: int, shared: int, longest: int = 15, words: bool = True
) -> tuple[dict[tuple[int, int], float], float]:
    """Every span of characters and its best score, and the score of no answer; one window and one span at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.BertForQuestionAnswering.from_pretrained(folder).eval()
    encoding = tokenizer(
        [QUESTION],
        [context],
        truncation="only_second",
        max_length=window,
        stride=shared,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    best: dict[tuple[int, int], float] = {}
    none = 1.0
    for row, ids in enumerate(encoding["input_ids"]):
        kinds = torch.tensor([encoding["token_type_ids"][row]])
        with torch.inference_mode():
            out = model(torch.tensor([ids]), token_type_ids=kinds)
        places = [n for n, sequence in enumerate(encoding.sequence_ids(row)) if sequence == 1]
        kept = [0, *places]
        starts = dict(zip(kept, out.start_logits[0, kept].softmax(-1).tolist(), strict=True))
        ends = dict(zip(kept, out.end_logits[0, kept].softmax(-1).tolist(), strict=True))
        none = min(none, starts[0] * ends[0])
        for i in places:
            for j in places:
                if i <= j < i + longest:
                    begin, end = encoding["offset_mapping"][row][i][0], encoding["offset_mapping"][row][j][1]
                    if words:
                        begin = encoding.word_to_chars(row, encoding.word_ids(row)[i], 1).start
                        end = encoding.word_to_chars(row, encoding.word_ids(row)[j], 1).end
                    best[begin, end] = max(best.get((begin, end), 0.0), starts[i] * ends[j])
    return best, none


@pytest.fixture
def ask(folder: Path) -> Any:
    return pipeline("question-answering", model=folder, device="cpu")


@pytest.mark.parametrize(
    ("context", "options", "oracle"),
    [
        (CONTEXT, {}, {"window": 64, "shared": 32}),
        (LONG, {}, {"window": 64, "shared": 32}),
        (LONG, {"max_seq_len": 30, "doc_stride": 7}, {"window": 30, "shared": 7}),
        (
            LONG,
            {"align_to_words": False, "max_answer_len": 4},
            {"window": 64, "shared": 32, "words": False, "longest": 4},
        ),
    ],
)
def test_the_best_answer(ask: Any, folder: Path, context: str, options: dict[str, Any], oracle: dict[str, Any]) -> None:
    scores, _ = expected_answers(folder, context, **oracle)
    (start, end), score = max(scores.items(), key=lambda one: one[1])
    found = ask(question=QUESTION, context=context, **options)
    assert found == {
        "score": pytest.approx(score, abs=1e-6),
        "start": start,
        "end": end,
        "answer": context[start:end],
    }
    several = ask(question=QUESTION, context=context, top_k=3, **options)
    assert several[0] == found
    assert len({(one["start"], one["end"]) for one in several}) == len(several) == 3
    assert [one["score"] for one in several] == pytest.approx(sorted(scores.values(), reverse=True)[:3], abs=1e-6)
    for one in several:
        assert one["score"] == pytest.approx(scores[one["start"], one["end"]], abs=1e-6)


def test_no_answer(ask: Any, folder: Path) -> None:
    scores, none = expected_answers(folder, LONG, window=64, shared=32)
    found = ask(question=QUESTION, context=LONG, handle_impossible_answer=True, top_k=1000)
    empty = next(one for one in found if one["answer"] == "")
    assert (empty["start"], empty["end"], empty["score"]) == (0, 0, pytest.approx(none, abs=1e-6))
    first = ask(question=QUESTION, context=LONG, handle_impossible_answer=True)
    assert first["score"] == pytest.approx(max(none, *scores.values()), abs=1e-6)


def test_ways_of_asking(ask: Any) -> None:
    one = ask(ROW)
    assert ask(question=QUESTION, context=CONTEXT) == one
    for found in (
        ask([ROW, ROW], batch_size=2),
        ask(question=[QUESTION, QUESTION], context=CONTEXT),
        ask(question=[QUESTION, QUESTION], context=[CONTEXT, CONTEXT]),
    ):
        assert [answer["answer"] for answer in found] == [one["answer"]] * 2
    with pytest.raises(PreprocessorError, match="2 questions and 1 contexts"):
        ask(question=["a", "b"], context=["c"])
    with pytest.raises(PreprocessorError, match="not both"):
        ask(ROW, question="a")


def test_a_long_question_is_cut(ask: Any) -> None:
    long = "who is the rain " * 30
    assert ask(question=long, context=CONTEXT, max_question_len=8) == ask(
        question="who is the rain who is the rain", context=CONTEXT
    )
    with pytest.raises(PipelineError, match="question-answering: the input"):
        ask(question=long, context=CONTEXT)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"question": "who?"}, "the context is None"),
        ({"question": " ", "context": "a"}, "the question is ' '"),
        ("who?", "a row with a question and a context is needed; found str"),
    ],
)
def test_rows_that_are_none(ask: Any, item: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        ask(item)


def test_what_is_shown(ask: Any) -> None:
    assert len(ask.display(ask(ROW, top_k=3)).splitlines()) == 3
    assert ask.display(ask(ROW)).endswith(ask(ROW)["answer"])


def test_pairs_at_a_shell(folder: Path, ask: Any) -> None:
    given = ["question-answering", "--model", str(folder), "--device", "cpu"]
    done = CliRunner().invoke(run, [*given, QUESTION, CONTEXT, "who?", LONG])
    assert done.exit_code == 0, done.output
    answers = [ask(ROW), ask(question="who?", context=LONG)]
    assert done.output == "".join(f"{ask.display(answer)}\n" for answer in answers)
    lonely = CliRunner().invoke(run, [*given, QUESTION])
    assert lonely.exit_code == 1
    assert "there is no text behind the question 'where is the inn?'" in lonely.output
