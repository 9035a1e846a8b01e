"""A page drawn with Pillow and read by Tesseract; a tiny LayoutLMv3 learns two answers, and gives them at a shell."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from modelry import AutoModelForDocumentQuestionAnswering, AutoProcessor, pipeline
from modelry.cli.run import run

pytestmark = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is not installed: apt-get install tesseract-ocr"
)
ANSWERS = {"What is the total?": ["42", "EUR"], "Who signed?": ["Ada"]}
STEPS, RATE = 30, 4e-3


@pytest.fixture(scope="module")
def learned(extracting: Path, page: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that knows the two answers."""
    folder = tmp_path_factory.mktemp("learned")
    processor: Any = AutoProcessor.from_pretrained(extracting)
    torch.manual_seed(0)
    model: Any = AutoModelForDocumentQuestionAnswering.from_pretrained(extracting).train()
    words = processor.image_processor(page)["words"][0]
    inputs = processor([page, page], list(ANSWERS), padding=True, return_tensors="pt")
    starts, ends = [], []
    for row, answer in enumerate(ANSWERS.values()):
        first = words.index(answer[0])
        starts.append(inputs.word_to_tokens(row, first, 1).start)
        ends.append(inputs.word_to_tokens(row, first + len(answer) - 1, 1).end - 1)
    spans = {"start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}
    for _ in range(STEPS):  # by the sign of the gradient: torch.optim takes seconds to import
        model(**inputs, **spans).loss.backward()
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.data.sub_(parameter.grad.sign(), alpha=RATE)
        model.zero_grad()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def scan(page: Image.Image, tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    page.save(path)
    return path


def test_both_questions(learned: Path, scan: Path) -> None:
    ask: Any = pipeline("document-question-answering", model=learned, device="cpu")
    for question, words in ANSWERS.items():
        (found,) = ask(image=str(scan), question=question)
        assert found["answer"] == " ".join(words)
        assert found["score"] > 0.5
        box = found["box"]
        line = {"42": 210, "Ada": 300}[words[0]]  # where the page has it
        assert line < box["ymin"] < box["ymax"] < line + 50
        assert 40 < box["xmin"] < box["xmax"] < 400


def test_a_pdf_of_two_pages(learned: Path, pdf: Callable[..., Path]) -> None:
    from modelry_document_question_answering import DocumentQuestionAnsweringPipeline

    ask: Any = pipeline("document-question-answering", model=learned, device="cpu")
    assert isinstance(ask, DocumentQuestionAnsweringPipeline)
    path = pdf(("Nothing here",), ("Total 42 EUR", "Signed by Ada"))
    found = ask(image=path, question="Who signed?", page=2)
    assert found[0]["page"] == 2
    assert found[0]["answer"] in "Total 42 EUR Signed by Ada"
    answer, picture = ask.answer_with_picture({"image": path, "question": "Who signed?"})
    assert picture.size == (1280, {1: 260, 2: 440}[answer[0]["page"]])  # twice the dots per inch


def test_at_a_shell(learned: Path, scan: Path, tmp_path: Path) -> None:
    shown = tmp_path / "answer.png"
    command = ["document-question-answering", "--model", str(learned), "--device", "cpu", str(scan)]
    done = CliRunner().invoke(run, [*command, "Who signed?", "What is the total?", "--json"])
    assert done.exit_code == 0, done.output
    assert [json.loads(line)[0]["answer"] for line in done.stdout.splitlines()] == ["Ada", "42 EUR"]
    done = CliRunner().invoke(run, [*command, "Who signed?", "--show", str(shown)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith("Ada")
    with Image.open(shown) as drawn:
        assert drawn.width == 640
    done = CliRunner().invoke(run, [*command])
    assert "there is no question behind" in done.output
    done = CliRunner().invoke(run, [*command, "a", "b", "--show", str(shown)])
    assert "there are 2 inputs" in done.output
