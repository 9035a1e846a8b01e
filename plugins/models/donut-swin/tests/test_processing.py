"""Pages and prompts in one call, Donut as a whole from a folder, and its answer as fields."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from modelry import AutoModelForImageTextToText, AutoProcessor
from modelry.errors import PreprocessorError
from modelry.preprocessing.image_processor import ImageProcessor
from modelry.preprocessing.tokenizer import Tokenizer
from modelry_donut_swin import DonutProcessor
from modelry_registry import get_registry, resolve
from modelry_testing.toys.tokenizer_files import END, PAD, write_tokenizer

PAGES = [
    np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    for seed, size in enumerate([(40, 30, 3), (20, 60, 3)])
]
SETTINGS: dict[str, Any] = {"size": [16, 24], "do_align_long_axis": True}


@pytest.fixture
def processor(tmp_path: Path) -> DonutProcessor:
    """With a token for the task and one for a field."""
    write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    tokenizer.add_tokens(["<s_task>", "<s_total>", "</s_total>", "<yes/>"], special_tokens=True)
    images = ImageProcessor(image_processor_type="DonutImageProcessor", **SETTINGS)
    return DonutProcessor(tokenizer=tokenizer, image_processor=images)


def test_pages_alone_and_with_a_prompt(processor: DonutProcessor) -> None:
    alone = processor(PAGES, return_tensors="pt")
    assert set(alone) == {"pixel_values"}
    expected = transformers.DonutImageProcessorPil(**SETTINGS)(PAGES)["pixel_values"]
    torch.testing.assert_close(alone["pixel_values"], torch.tensor(np.stack(expected)), atol=1e-5, rtol=0)
    both = processor(PAGES[0], "<s_task>", return_tensors="pt")
    assert both["input_ids"].tolist() == [[processor.tokenizer.convert_tokens_to_ids("<s_task>")]]
    assert both["labels"].equal(both["input_ids"])


def test_what_the_model_wrote(processor: DonutProcessor) -> None:
    assert processor.token2json("<s_task><s_total><yes/></s_total>") == {"total": "yes"}
    assert processor.token2json("<s_task><s_total><no/></s_total>") == {"total": "<no/>"}


def test_nothing_and_sound(processor: DonutProcessor) -> None:
    with pytest.raises(PreprocessorError, match="give text="):
        processor()
    with pytest.raises(PreprocessorError, match="takes no audio"):
        processor(PAGES, audio=[0.0])


def test_donut_as_a_whole(processor: DonutProcessor, tmp_path: Path) -> None:
    """The encoder's family brings the processor; the answer begins with the task's token."""
    ids, tokens = processor.tokenizer.convert_tokens_to_ids, len(processor.tokenizer)
    families = get_registry()
    values: Any = {
        **families.get("models", "vision-encoder-decoder").tiny,
        "encoder": families.get("models", "donut-swin").tiny,
    }
    values["decoder"] = {**values["decoder"], "vocab_size": tokens, "pad_token_id": ids(PAD), "eos_token_id": ids(END)}
    config: Any = resolve(families.get("models", "vision-encoder-decoder").config)
    torch.manual_seed(0)
    folder = tmp_path / "donut"
    AutoModelForImageTextToText.from_config(
        config(**{**values, "decoder_start_token_id": ids(END), "pad_token_id": ids(PAD)})
    ).save_pretrained(folder)
    processor.save_pretrained(folder)
    again = AutoProcessor.from_pretrained(folder)
    assert isinstance(again, DonutProcessor)
    inputs = again(PAGES[:1], ["<s_task>"], return_tensors="pt")
    model = AutoModelForImageTextToText.from_pretrained(folder)
    prompt = {"decoder_input_ids": inputs["input_ids"], "max_new_tokens": 5, "do_sample": False}
    found = model.generate(inputs["pixel_values"], **prompt)
    oracle: Any = transformers.VisionEncoderDecoderModel.from_pretrained(folder)
    assert found.tolist() == oracle.generate(inputs["pixel_values"], **prompt).tolist()
    assert found[0, 0] == ids("<s_task>")
    assert isinstance(again.token2json(again.decode(found[0])), dict)


def test_pages_anywhere_among_the_padding(processor: DonutProcessor) -> None:
    """For training: the same page, moved; the same number of pixels beside it."""
    plain = processor.image_processor(PAGES[0], do_normalize=False)["pixel_values"][0]
    random.seed(1)
    moved = [processor.image_processor(PAGES[0], do_normalize=False, random_padding=True) for _ in range(8)]
    values = [one["pixel_values"][0] for one in moved]
    assert len({int(one.any((0, 2)).argmax()) for one in values}) > 1
    for one in values:
        np.testing.assert_array_equal(one[:, one.any((0, 2))], plain[:, plain.any((0, 2))])
