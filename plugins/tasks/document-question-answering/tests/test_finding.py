"""A page drawn with Pillow and read by Tesseract; a tiny LayoutLMv3 learns two answers, and gives them at a shell."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image

from modelry import pipeline
from modelry.errors import PipelineError, PreprocessorError
from modelry.preprocessing.images.words import Words

QUESTION = "What is the total?"
GIVEN = [("Invoice", [60, 80, 200, 110]), ("Total", [60, 500, 150, 540]), ("42", [160, 500, 210, 540])]
LONG = [(f"w{number}", [number, number, number + 20, number + 9]) for number in range(60)]


@pytest.fixture
def ask(extracting: Path) -> Any:
    return pipeline("document-question-answering", model=extracting, device="cpu")


def expected(
    ask: Any, words: list[Any], image: Image.Image | None, *, window: int, shared: int, longest: int = 15
) -> dict[tuple[int, int], float]:
    """Every answer's score, by loops."""
    tokenizer: Any = ask.tokenizer
    inputs = tokenizer(
        [QUESTION],
        [[word for word, _ in words]],
        boxes=[[box for _, box in words]],
        truncation="only_second",
        max_length=window,
        stride=shared,
        return_overflowing_tokens=True,
    )
    seen = {}
    if image is not None:
        processor: Any = ask.image_processor
        seen = {"pixel_values": processor(image, apply_ocr=False, return_tensors="pt")["pixel_values"]}
    best: dict[tuple[int, int], float] = {}
    for row, ids in enumerate(inputs["input_ids"]):
        with torch.inference_mode():
            out = ask.model(torch.tensor([ids]), bbox=torch.tensor([inputs["bbox"][row]]), **seen)
        places = [n for n, one in enumerate(inputs.sequence_ids(row)) if one == 1]
        kept = [0, *places]
        starts = dict(zip(kept, out.start_logits[0, kept].softmax(-1).tolist(), strict=True))
        ends = dict(zip(kept, out.end_logits[0, kept].softmax(-1).tolist(), strict=True))
        numbers = inputs.word_ids(row)
        for i in places:
            for j in places:
                if i <= j < i + longest:
                    key = (numbers[i], numbers[j])
                    best[key] = max(best.get(key, 0.0), starts[i] * ends[j])
    return best


@pytest.mark.parametrize(
    ("words", "options", "oracle"),
    [
        (GIVEN, {}, {"window": 96, "shared": 48}),
        (LONG, {}, {"window": 96, "shared": 48}),
        (LONG, {"max_seq_len": 50, "doc_stride": 9, "max_answer_len": 4}, {"window": 50, "shared": 9, "longest": 4}),
    ],
)
@pytest.mark.parametrize("seen", [True, False])
def test_the_best_answers(ask: Any, page: Image.Image, words: list[Any], options: Any, oracle: Any, seen: bool) -> None:
    image = page if seen else None
    scores = expected(ask, words, image, **oracle)
    found = ask(image=image, question=QUESTION, word_boxes=words, top_k=3, **options)
    best = sorted(scores.values(), reverse=True)[:3]
    assert [one["score"] for one in found] == pytest.approx(best, abs=1e-6)
    for one in found:
        assert one["score"] == pytest.approx(scores[one["start"], one["end"]], abs=1e-6)
        assert one["answer"] == " ".join(word for word, _ in words[one["start"] : one["end"] + 1])
        assert one["page"] == 1
        assert ("box" in one) == seen
    (first,) = ask(image=image, question=QUESTION, word_boxes=words, **options)
    assert first == found[0]


@pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is not installed: apt-get install tesseract-ocr"
)
@pytest.mark.parametrize("options", [{}, {"max_seq_len": 50, "doc_stride": 9, "max_answer_len": 4}])
def test_as_transformers_has_it_for_words_alone(ask: Any, extracting: Path, page: Image.Image, options: Any) -> None:
    """Their pipeline hands the picture over as `image`, which LayoutLMv3 does not read: it answers from the words."""
    loaded: dict[str, Any] = {
        "model": transformers.AutoModelForDocumentQuestionAnswering.from_pretrained(extracting),
        "tokenizer": transformers.AutoTokenizer.from_pretrained(extracting),
        "image_processor": transformers.LayoutLMv3ImageProcessorPil.from_pretrained(extracting),
    }
    theirs: Any = transformers.pipeline("document-question-answering", device="cpu", **loaded)
    answers = theirs({"image": page, "question": QUESTION, "word_boxes": LONG}, top_k=200, **options)
    best: dict[tuple[int, int], Any] = {}  # windows that overlap tell an answer twice there
    for one in answers:
        best.setdefault((one["start"], one["end"]), one)
    for one in ask(image=None, question=QUESTION, word_boxes=LONG, top_k=4, **options):
        other = best[one["start"], one["end"]]
        assert (one["answer"], one["score"]) == (other["answer"], pytest.approx(other["score"], abs=1e-6))
    (seeing,) = ask(image=page, question=QUESTION, word_boxes=LONG, **options)
    assert seeing["score"] != pytest.approx(best[seeing["start"], seeing["end"]]["score"], abs=1e-6)


def test_the_box_is_in_pixels(ask: Any, page: Image.Image) -> None:
    (found,) = ask(image=page, question=QUESTION, word_boxes=[("42", [100, 250, 300, 500])])
    assert found["box"] == {"xmin": 64, "ymin": 100, "xmax": 192, "ymax": 200}
    drawn = ask.draw(page, [found])
    assert drawn.width == page.width
    assert drawn.crop((0, 0, *page.size)).getpixel((64, 150)) != page.getpixel((64, 150))


def test_no_answer(ask: Any) -> None:
    found = ask(question=QUESTION, image=None, word_boxes=GIVEN, handle_impossible_answer=True, top_k=100)
    empty = next(one for one in found if not one["answer"])
    assert (empty["start"], empty["end"], empty["page"]) == (0, 0, None)
    assert ask.display([empty]).endswith("(no answer)")


def test_ways_of_asking(ask: Any, page: Image.Image) -> None:
    one = ask({"image": page, "question": QUESTION, "word_boxes": GIVEN})
    for found in (
        ask([{"image": page, "question": QUESTION, "word_boxes": GIVEN}] * 2, batch_size=2),
        ask(image=page, question=[QUESTION, QUESTION], word_boxes=GIVEN),
        ask(image=[page, page], question=[QUESTION, QUESTION], word_boxes=GIVEN),
    ):
        assert [answer[0]["answer"] for answer in found] == [one[0]["answer"]] * 2
    with pytest.raises(PreprocessorError, match="2 questions and 3 images"):
        ask(image=[page] * 3, question=["a", "b"])
    with pytest.raises(PreprocessorError, match="pass question="):
        ask(image=page, word_boxes=GIVEN)


def test_a_page_and_bare_words_in_one_batch(ask: Any, page: Image.Image, recwarn: Any) -> None:
    rows = [{"image": image, "question": QUESTION, "word_boxes": GIVEN} for image in (page, None)]
    together = ask(rows, batch_size=2)
    assert [one[0]["answer"] for one in together] == [ask(row)[0]["answer"] for row in rows]
    assert not recwarn.list


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("scan.png", "a row with an image and a question is needed; found str"),
        ({"image": "x.png"}, "the question is None"),
        ({"question": "who?"}, "there is nothing to ask about"),
        ({"question": "who?", "image": "no-such-file.png"}, "no such file"),
        ({"question": "who?", "word_boxes": ["Total"]}, r"word_boxes\[0\] is 'Total'"),
        ({"question": "who?", "word_boxes": [("a", [0, 0, 2000, 5])]}, "the box of the word 'a'"),
        ({"question": "who?", "word_boxes": []}, "no words among word_boxes"),
        ({"question": "who?", "image": b"%PDF-1.4 nothing"}, "a damaged or truncated PDF file"),
    ],
)
def test_rows_that_cannot_be_answered(ask: Any, item: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        ask(item)
    found = ask([{"question": QUESTION, "word_boxes": GIVEN}, item], on_error="return", batch_size=2)
    assert found[0][0]["answer"]
    assert isinstance(found[1], PipelineError)
    assert "item 1" in str(found[1])


def test_a_model_without_eyes(tmp_path: Path, page: Image.Image) -> None:
    import runpy

    save = runpy.run_path(str(Path(__file__).parent / "conftest.py"))["save_extracting"]
    blind: Any = pipeline("document-question-answering", model=save(tmp_path, visual_embed=False), device="cpu")
    assert blind(image=page, question=QUESTION, word_boxes=GIVEN)[0]["box"]


def test_the_task_follows_from_the_model(extracting: Path) -> None:
    assert pipeline(model=extracting, device="cpu").task == "document-question-answering"


def test_without_tesseract(ask: Any, page: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    import pytesseract  # type: ignore[import-untyped]  # it has no annotations

    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-program")
    with pytest.raises(PipelineError, match="apt-get install tesseract-ocr"):
        ask(image=page, question=QUESTION)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Pages are read without Tesseract: what was asked of it, each page being one word of its height."""
    seen: list[Any] = []

    def read(picture: Image.Image, **options: Any) -> Words:
        seen.append(options)
        return Words([f"w{picture.height}"], [(0, 0, 9, 9)], (picture.height, picture.width))

    monkeypatch.setattr("modelry_document_question_answering.extracting.read_words", read)
    return seen


def test_pages_of_a_pdf(ask: Any, pdf: Callable[..., Path], reads: list[Any]) -> None:
    path = pdf(("one",), ("two", "lines"))
    found = ask(image=path, question=QUESTION, top_k=5, lang="deu", tesseract_config="--psm 6")
    assert sorted((one["page"], one["answer"]) for one in found) == [(1, "w260"), (2, "w440")]
    assert reads == [{"language": "deu", "settings": "--psm 6"}] * 2
    assert "(page 2)" in ask.display(found)
    (second,) = ask(image=path.read_bytes(), question=QUESTION, page=2)
    assert second["page"] == 2
    for item, options, message in (
        (path, {"page": 3}, r"page 3 is asked for, and the document .* has 2"),
        (path.read_bytes()[:300], {}, "a damaged or truncated PDF file"),
        (Image.new("RGB", (8, 8)), {"page": 2}, "the document is a picture: it has one page"),
    ):
        with pytest.raises(PipelineError, match=message):
            ask({"image": item, "question": QUESTION}, **options)
    with pytest.raises(PipelineError, match="word_boxes are of one page"):
        ask(image=path, question=QUESTION, word_boxes=GIVEN)
    assert ask(image=path, question=QUESTION, word_boxes=GIVEN, page=2)[0]["page"] == 2


def test_a_pdf_with_a_password(ask: Any, locked_pdf: bytes, reads: list[Any]) -> None:
    with pytest.raises(PipelineError, match="a PDF file that needs a password: pass password="):
        ask(image=locked_pdf, question=QUESTION)
    with pytest.raises(PipelineError, match="a PDF file that has another password"):
        ask(image=locked_pdf, question=QUESTION, password="shut")
    (found,) = ask(image=locked_pdf, question=QUESTION, password="open")
    assert (found["answer"], found["page"]) == ("w278", 1)  # 100 points at 200 dots per inch
