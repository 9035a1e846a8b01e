"""Answers that a model writes: prompts, batches, tags, pages; no words are read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from modelry import pipeline
from modelry.errors import PipelineError

QUESTION = "who?"
PROMPT = f"<s_docvqa><s_question>{QUESTION}</s_question><s_answer>"


@pytest.fixture
def ask(writing: Path) -> Any:
    return pipeline("document-question-answering", model=writing, device="cpu", max_new_tokens=6)


@pytest.fixture
def said(ask: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `generate` is called with; it says "in</s_answer>" and goes on."""
    calls: list[dict[str, Any]] = []
    tokenizer: Any = ask.tokenizer
    new = tokenizer("in</s_answer>he", add_special_tokens=False, return_tensors="pt")["input_ids"]

    def generate(**options: Any) -> Any:
        calls.append(options)
        start = options["decoder_input_ids"].repeat_interleave(options.get("num_return_sequences", 1), 0)
        return torch.cat((start, new.expand(len(start), -1)), dim=1)

    monkeypatch.setattr(ask.model, "generate", generate)
    return calls


def test_as_the_model_generates(ask: Any, page: Image.Image) -> None:
    tokenizer, processor = ask.tokenizer, ask.image_processor
    assert tokenizer is not None
    assert processor is not None
    pixels = processor(page, return_tensors="pt")["pixel_values"]
    start = tokenizer(PROMPT, add_special_tokens=False, return_tensors="pt")["input_ids"]
    new = ask.model.generate(pixel_values=pixels, decoder_input_ids=start, max_new_tokens=6)[0, start.shape[1] :]
    text = tokenizer.decode(new.tolist(), skip_special_tokens=True).strip()
    (found,) = ask(image=page, question=QUESTION, task_prompt=PROMPT.replace(QUESTION, "{question}") + " ")
    assert found["page"] == 1
    closed = tokenizer.convert_tokens_to_ids("</s_answer>") in new.tolist()
    assert ask(image=page, question=QUESTION) == [{"answer": text if closed else None, "page": 1}]


def test_answers_end_at_their_tag(ask: Any, said: list[dict[str, Any]], page: Image.Image) -> None:
    assert ask(image=page, question=QUESTION) == [{"answer": "in", "page": 1}]
    tokenizer: Any = ask.tokenizer
    assert tokenizer.decode(said[0]["decoder_input_ids"][0]) == PROMPT
    assert said[0]["max_new_tokens"] == 6
    (found,) = ask(image=page, question=QUESTION, task_prompt="{question}")
    assert found["answer"].startswith("in")
    assert found["answer"].endswith("he")
    assert len(ask(image=page, question=QUESTION, top_k=3)) == 3
    assert said[-1]["num_beams"] == 3
    assert "top_k" not in said[-1]


def test_questions_of_one_length_share_a_batch(ask: Any, said: list[dict[str, Any]], page: Image.Image) -> None:
    found = ask(image=page, question=["who?", "how?", "where to?"], batch_size=3)
    assert [one[0]["answer"] for one in found] == ["in"] * 3
    assert sorted(len(one["decoder_input_ids"]) for one in said) == [1, 2]


def test_every_page_is_answered(ask: Any, said: list[dict[str, Any]], pdf: Callable[..., Path]) -> None:
    path = pdf(("one",), ("two",), ("three",))
    assert [one["page"] for one in ask(image=path, question=QUESTION)] == [1, 2, 3]
    assert ask(image=path, question=QUESTION, page=2) == [{"answer": "in", "page": 2}]


def test_words_are_not_read(ask: Any, page: Image.Image) -> None:
    with pytest.raises(PipelineError, match="sees the page itself: give an image and no word_boxes"):
        ask(image=page, question=QUESTION, word_boxes=[("a", [0, 0, 1, 1])])


def test_what_is_shown(ask: Any, page: Image.Image) -> None:
    assert ask.display([{"answer": None, "page": 1}, {"answer": "in", "page": 2}]).splitlines() == [
        "(no answer)  (page 1)",
        "in  (page 2)",
    ]
    assert ask.draw(page, [{"answer": "in", "page": 1}]).height > page.height
