"""Words, boxes, labels and pages, held against transformers' LayoutLMv3 tokenizer and processor."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image, ImageDraw, ImageFont

from modelry import AutoProcessor, AutoTokenizer
from modelry.errors import PreprocessorError
from modelry_layoutlmv3 import LayoutLMv3ImageProcessor, LayoutLMv3Processor, LayoutLMv3Tokenizer
from modelry_testing.toys.pictures import picture

WORDS = [["the", "inn", "Über", "in-the-tin"], ["rain", "12€"]]
BOXES = [[[0, 10, 20, 30], [100, 10, 200, 30], [300, 500, 1000, 1000], [1, 2, 3, 4]], [[5, 5, 6, 6], [7, 7, 8, 8]]]
LABELS = [[3, 1, 4, 1], [5, 9]]
QUESTIONS = ["where is the inn?", "how much"]


@pytest.fixture
def theirs(vocabulary: Any, tokenizer: LayoutLMv3Tokenizer) -> Any:
    words, merges = vocabulary
    return transformers.LayoutLMv3Tokenizer(vocab=words, merges=merges, model_max_length=24)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((WORDS[0],), {"boxes": BOXES[0]}),
        ((WORDS[0],), {"boxes": BOXES[0], "word_labels": LABELS[0], "padding": "max_length", "max_length": 30}),
        ((WORDS,), {"boxes": BOXES, "word_labels": LABELS, "padding": True, "return_offsets_mapping": True}),
        ((WORDS,), {"boxes": BOXES, "word_labels": LABELS, "padding": True, "return_tensors": "np"}),
        ((QUESTIONS[0], WORDS[0]), {"boxes": BOXES[0], "return_token_type_ids": True}),
        ((QUESTIONS, WORDS), {"boxes": BOXES, "padding": True, "return_special_tokens_mask": True}),
        (
            (QUESTIONS, WORDS),
            {
                "boxes": BOXES,
                "truncation": "only_second",
                "max_length": 22,
                "stride": 1,
                "return_overflowing_tokens": True,
                "padding": True,
            },
        ),
        (([[], ["a"]],), {"boxes": [[], [[1, 1, 2, 2]]], "padding": True}),
    ],
)
def test_tokens(tokenizer: LayoutLMv3Tokenizer, theirs: Any, arguments: Any, options: dict[str, Any]) -> None:
    found, expected = tokenizer(*arguments, **options), theirs(*arguments, **options)
    plain = {name: getattr(value, "tolist", lambda value=value: value)() for name, value in found.items()}
    assert plain == {name: getattr(value, "tolist", lambda value=value: value)() for name, value in expected.items()}


def test_tokens_with_settings(files: Path, vocabulary: Any) -> None:
    settings: dict[str, Any] = {
        "cls_token_box": [1, 1, 1, 1],
        "sep_token_box": [1000] * 4,
        "pad_token_box": [2, 2, 2, 2],
        "pad_token_label": -1,
        "only_label_first_subword": False,
    }
    ours = LayoutLMv3Tokenizer.from_pretrained(files, **settings)
    theirs: Any = transformers.LayoutLMv3Tokenizer(vocab=vocabulary[0], merges=vocabulary[1], **settings)
    ours.save_pretrained(files / "saved")
    for one in (ours, LayoutLMv3Tokenizer.from_pretrained(files / "saved")):
        call = {"boxes": BOXES, "word_labels": LABELS, "padding": True}
        assert dict(one(WORDS, **call)) == dict(theirs(WORDS, **call))


def test_rows_padded_later(tokenizer: LayoutLMv3Tokenizer) -> None:
    rows = [
        dict(tokenizer(words, boxes=boxes, word_labels=labels))
        for words, boxes, labels in zip(WORDS, BOXES, LABELS, strict=True)
    ]
    assert dict(tokenizer.pad(rows)) == dict(tokenizer(WORDS, boxes=BOXES, word_labels=LABELS, padding=True))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (WORDS[0], {"boxes": BOXES[1]}, "there are 4 words and 2 boxes"),
        (WORDS, {"boxes": [BOXES[0], BOXES[0]]}, "there are 2 words and 4 boxes of example 1"),
        (WORDS, {"boxes": BOXES[:1]}, "boxes are of 1 examples, and words of 2"),
        (WORDS[0], {"boxes": BOXES[0], "word_labels": [1]}, "there are 4 words and 1 word_labels"),
        (["a"], {"boxes": [[0, 0, 1001, 5]]}, r"the box of the word 'a' is \[0, 0, 1001, 5\].*from 0 to 1000"),
        (["a"], {"boxes": [[-1, 0, 1, 5]]}, "the box of the word 'a' is"),
        (["a"], {"boxes": [[0, 0, 5]]}, "four whole numbers"),
        (["a"], {"boxes": [[0.5, 0, 5, 5]]}, "four whole numbers"),
        (["a"], {"word_labels": [1]}, "words are given without boxes"),
        ("a", {"boxes": [[0, 0, 5, 5]]}, "words are a str"),
    ],
)
def test_what_does_not_belong_together(
    tokenizer: LayoutLMv3Tokenizer, text: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(PreprocessorError, match=message):
        tokenizer(text, **options)


@pytest.fixture
def page() -> Image.Image:
    return Image.fromarray(picture(60, 90))


@pytest.fixture
def both(tokenizer: LayoutLMv3Tokenizer, theirs: Any) -> tuple[LayoutLMv3Processor, Any]:
    """Our processor and theirs, words given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images: Any = transformers.LayoutLMv3ImageProcessorPil(apply_ocr=False)
        return (
            LayoutLMv3Processor(image_processor=LayoutLMv3ImageProcessor(apply_ocr=False), tokenizer=tokenizer),
            transformers.LayoutLMv3Processor(images, theirs),
        )


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_pages_with_given_words(both: Any, page: Image.Image, tmp_path: Path) -> None:
    ours, theirs = both
    ours.save_pretrained(tmp_path / "saved")
    again = LayoutLMv3Processor.from_pretrained(tmp_path / "saved")
    turned = page.transpose(Image.Transpose.ROTATE_90)
    cut = {"max_length": 14, "truncation": True, "return_overflowing_tokens": True, "padding": True, "stride": 2}
    for images, text, options in (
        ([page, turned], WORDS, {"boxes": BOXES, "word_labels": LABELS, "padding": True, "return_tensors": "np"}),
        (page, WORDS[0], {"boxes": BOXES[0], "return_tensors": "np"}),
        ([page, turned], WORDS, {"boxes": BOXES, **cut}),
    ):
        expected = theirs(images, text, **options)
        for processor in (ours, again):
            found = processor(images, text, **options)
            assert found.keys() == expected.keys()
            for name in expected:
                np.testing.assert_allclose(found[name], np.asarray(expected[name]), atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("values", "reads"),
    [
        ({"feature_extractor_type": "LayoutLMv3FeatureExtractor"}, True),
        ({"image_processor_type": "LayoutLMv3ImageProcessor", "apply_ocr": False}, False),
        ({"image_processor_type": "ViTImageProcessor"}, False),
    ],
)
def test_whether_words_are_read_stands_in_the_file(tmp_path: Path, values: dict[str, Any], reads: bool) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**values, "size": 32}), encoding="utf-8")
    found = LayoutLMv3ImageProcessor.from_pretrained(tmp_path)
    assert found.apply_ocr is reads
    assert found.size == {"height": 32, "width": 32}
    assert LayoutLMv3ImageProcessor().apply_ocr


def test_words_are_given_or_read(both: Any, page: Image.Image) -> None:
    with pytest.raises(PreprocessorError, match="apply_ocr is false, so words are not read"):
        both[0](page)
    reading = LayoutLMv3Processor(image_processor=LayoutLMv3ImageProcessor(), tokenizer=both[0].tokenizer)
    with pytest.raises(PreprocessorError, match="apply_ocr reads them from the page"):
        reading(page, WORDS[0], boxes=BOXES[0])


@pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is not installed: apt-get install tesseract-ocr"
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_pages_that_are_read(both: Any) -> None:
    page = Image.new("RGB", (400, 80), "white")
    ImageDraw.Draw(page).text((20, 20), "Total 42 EUR", fill="black", font=ImageFont.load_default(32))
    ours = LayoutLMv3Processor(image_processor=LayoutLMv3ImageProcessor(), tokenizer=both[0].tokenizer)
    both[1].image_processor.apply_ocr = True
    for text in (None, "how much?"):
        found, expected = ours(page, text, return_tensors="np"), both[1](page, text, return_tensors="np")
        assert found.keys() == expected.keys()
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
    read = ours.image_processor([page, np.asarray(page)])
    assert read["words"] == [["Total", "42", "EUR"]] * 2
    assert read["boxes"][0] == read["boxes"][1]


def test_the_family_brings_its_processor(both: Any, config: Any, tmp_path: Path) -> None:
    both[0].save_pretrained(tmp_path)
    config().save_pretrained(tmp_path)
    assert isinstance(AutoProcessor.from_pretrained(tmp_path), LayoutLMv3Processor)
    assert isinstance(AutoTokenizer.from_pretrained(tmp_path), LayoutLMv3Tokenizer)
