"""The real SmolLM2-135M-Instruct: tensors, tokenizer and chat template beside gguf and transformers 5.23."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers

from modelry import AutoModelForCausalLM
from modelry_gguf.container import open_container
from modelry_gguf.reader import GgufReader
from modelry_gguf.tensor_data import rotary_halves
from modelry_testing.calls import calls

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def reader(smollm2: Path) -> Iterator[GgufReader]:
    with GgufReader(smollm2) as opened:
        yield opened


@pytest.fixture(scope="module")
def tokenizer(reader: GgufReader) -> Tokenizer:
    files = reader.tokenizer_files()
    assert files is not None
    return Tokenizer.from_str(files["tokenizer.json"])


@pytest.fixture(scope="module")
def other(smollm2: Path) -> Any:
    import transformers

    return transformers.AutoTokenizer.from_pretrained(smollm2.parent, gguf_file=smollm2.name)


def test_tensors_are_those_of_the_gguf_package(smollm2: Path, reader: GgufReader) -> None:
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(smollm2).tensors}
    names = {tensor.name: name for name, tensor in reader._tensors().items()}
    assert names.keys() == stored.keys()
    for name, tensor in stored.items():
        expected = torch.from_numpy(gguf.dequantize(tensor.data.copy(), tensor.tensor_type))
        if ".attn_q." in name or ".attn_k." in name:
            expected = rotary_halves(expected, width=64)
        assert torch.equal(reader.read(names[name]), expected), name


def test_ids_and_offsets(tokenizer: Tokenizer, other: Any, texts: list[str]) -> None:
    """transformers does not know the pre-tokenizer "smollm" and cuts as GPT-2 does: spaces before a digit part then.
    SmolLM2's published tokenizer, and llama.cpp, cut out single digits first, and the oracle is told so."""
    backend = other.backend_tokenizer
    as_is = backend.pre_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    assert len(texts) >= 200
    try:
        for text in [*texts, "<|im_start|>user\nhi<|im_end|>\n", "a<|endoftext|>b"]:
            got = tokenizer.encode(text)
            expected = other(text, return_offsets_mapping=True)
            assert got.ids == expected["input_ids"], repr(text)
            assert got.offsets == expected["offset_mapping"], repr(text)
            assert tokenizer.decode(got.ids, skip_special_tokens=False) == other.decode(got.ids), repr(text)
    finally:
        backend.pre_tokenizer = as_is


def test_ids_and_offsets_of_texts_without_digits(tokenizer: Tokenizer, other: Any, texts: list[str]) -> None:
    checked = [text for text in texts if not any(character.isnumeric() for character in text)]
    assert len(checked) >= 100
    for text in checked:
        got = tokenizer.encode(text)
        expected = other(text, return_offsets_mapping=True)
        assert (got.ids, got.offsets) == (expected["input_ids"], expected["offset_mapping"]), repr(text)


def test_single_digits(tokenizer: Tokenizer) -> None:
    """Ids as llama.cpp gives them for this vocabulary."""
    assert tokenizer.encode("Hello world! 123").ids == [19556, 905, 17, 216, 33, 34, 35]
    assert tokenizer.encode("one\n\n1").tokens == ["one", "ĊĊ", "1"]


def test_chat_template(reader: GgufReader, other: Any) -> None:
    files = reader.tokenizer_files()
    assert files is not None
    assert files["chat_template.jinja"] == other.chat_template
    config = json.loads(files["tokenizer_config.json"])
    for role in ("bos", "eos", "unk", "pad"):
        assert config[f"{role}_token"] == getattr(other, f"{role}_token")


def test_metadata_and_tokenizer_take_few_calls(smollm2: Path) -> None:
    """Nothing runs more than a few times for each of 49,152 tokens and 48,900 merges."""
    assert calls(open_container, smollm2) < 150_000  # measured: 106,000
    with GgufReader(smollm2) as reader:
        assert calls(reader.tokenizer_files) < 420_000  # measured: 343,000


def test_a_ready_model_takes_few_calls(smollm2: Path) -> None:
    """Of which the tokens' tables are most, and blocks of weights none: 270 tensors of 4 million blocks."""
    assert calls(AutoModelForCausalLM.from_pretrained, smollm2) < 850_000  # measured: 690,000
    assert next(AutoModelForCausalLM.from_pretrained(smollm2).parameters()).dtype == torch.bfloat16
