"""Text with time stamps, and what goes before it, as transformers' tokenizer has it."""

from pathlib import Path
from typing import Any

import pytest
import tokenizers
import transformers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from modelry import AutoProcessor
from modelry.errors import PreprocessorError
from modelry_whisper import WhisperConfig, WhisperProcessor, WhisperTokenizer
from modelry_whisper.languages import CODES

SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
SPECIAL += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(200)]


@pytest.fixture(params=[True, False], ids=["named times", "unnamed times"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A byte-level tokenizer without merges, with Whisper's special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = tokenizers.Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    if request.param:
        backend.add_tokens([AddedToken(token, special=False) for token in TIMES])
    backend.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "WhisperTokenizer", "eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>",'
        '"unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "model_max_length": 1024,'
        f'"extra_special_tokens": {str(SPECIAL[1:]).replace(chr(39), chr(34))}}}'
    )
    (tmp_path / "preprocessor_config.json").write_text('{"chunk_length": 1}')
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    return tmp_path


def ids_of(tokenizer: Any, *parts: str | int) -> list[int]:
    """Numbers are steps of a time stamp."""
    first = tokenizer.convert_tokens_to_ids("<|notimestamps|>") + 1
    found: list[int] = []
    for part in parts:
        found += [first + part] if isinstance(part, int) else tokenizer(part, add_special_tokens=False)["input_ids"]
    return found


def test_decoding(folder: Path) -> None:
    ours = WhisperTokenizer.from_pretrained(folder)
    row = ids_of(ours, "<|startoftranscript|><|en|><|transcribe|>", 0, " Hello", 40, 40, " wörld", 75, "<|endoftext|>")
    start = "<|startoftranscript|><|en|><|transcribe|>"
    assert ours.decode(row) == start + " Hello wörld<|endoftext|>"
    assert ours.decode(row, skip_special_tokens=True) == " Hello wörld"
    stamped = "<|0.00|> Hello<|0.80|><|0.80|> wörld<|1.50|>"
    assert ours.decode(row, decode_with_timestamps=True) == start + stamped + "<|endoftext|>"
    assert ours.decode(row, skip_special_tokens=True, decode_with_timestamps=True) == stamped
    found = ours.decode(row, skip_special_tokens=True, output_offsets=True)
    assert found == {
        "text": " Hello wörld",
        "offsets": [{"text": " Hello", "timestamp": (0.0, 0.8)}, {"text": " wörld", "timestamp": (0.8, 1.5)}],
    }
    assert ours.batch_decode([row, row[:6]], skip_special_tokens=True)[0] == " Hello wörld"
    assert ours.decode(row[:-2], output_offsets=True)["offsets"] == found["offsets"][:1]


def test_what_went_before_is_left_out(folder: Path) -> None:
    ours = WhisperTokenizer.from_pretrained(folder)
    before = ours.get_prompt_ids("names: Ada")
    assert before == ids_of(ours, "<|startofprev|> names: Ada")
    row = [*before, *ids_of(ours, "<|startoftranscript|><|en|> Ada.")]
    assert ours.decode(row, skip_special_tokens=True) == " Ada."
    assert ours.get_prompt_ids("Ada", return_tensors="pt").tolist() == ids_of(ours, "<|startofprev|> Ada")
    with pytest.raises(PreprocessorError, match=r"the prompt holds '<.en.>', which is no text"):
        ours.get_prompt_ids("a <|en|> b")


@pytest.mark.filterwarnings("ignore")
def test_theirs(folder: Path) -> None:
    ours, theirs = WhisperTokenizer.from_pretrained(folder), transformers.WhisperTokenizer.from_pretrained(folder)
    row = ids_of(ours, "<|startoftranscript|><|en|><|transcribe|>", 0, " Hello", 40, 40, " world", 75, "<|endoftext|>")
    for options in ({"skip_special_tokens": True}, {"skip_special_tokens": True, "decode_with_timestamps": True}):
        assert ours.decode(row, **options) == theirs.decode(row, **options)
    found = ours.decode(row, skip_special_tokens=True, output_offsets=True)["offsets"]
    expected = theirs.decode(row, skip_special_tokens=True, output_offsets=True)["offsets"]
    assert [one["text"] for one in found] == [one["text"] for one in expected]
    assert [one["timestamp"] for one in found] == [pytest.approx(one["timestamp"]) for one in expected]
    found = ours.get_decoder_prompt_ids(task="translate", language="german")
    assert found == [(1, ids_of(ours, "<|de|>")[0]), (2, ids_of(ours, "<|translate|>")[0]), (3, 265)]


def test_processor(folder: Path, tmp_path: Path) -> None:
    ours = AutoProcessor.from_pretrained(folder)
    assert type(ours) is WhisperProcessor
    found = ours([[0.1, -0.1] * 500], text="Hi", return_tensors="pt")
    assert found["input_features"].shape == (1, 80, 100)
    assert found["labels"].tolist() == [ids_of(ours.tokenizer, "Hi")]
    assert ours.get_prompt_ids("Hi") == ours.tokenizer.get_prompt_ids("Hi")
    ours.save_pretrained(tmp_path / "saved")
    again = WhisperProcessor.from_pretrained(tmp_path / "saved")
    assert again.decode(found["labels"][0]) == "Hi"
    assert again.feature_extractor.chunk_length == 1


def test_another_vocabulary(folder: Path) -> None:
    backend = tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    with pytest.raises(PreprocessorError, match=r"has no <.notimestamps.>: it is no Whisper's"):
        _ = WhisperTokenizer(backend).timestamp_begin


def test_languages_are_theirs() -> None:
    assert CODES == transformers.models.whisper.tokenization_whisper.TO_LANGUAGE_CODE


def test_configuration() -> None:
    ours, theirs = WhisperConfig().to_dict(), transformers.WhisperConfig().to_dict()
    for key in ours.keys() & theirs.keys() - {"dtype", "architectures"}:
        expected = theirs[key]
        assert ours[key] == (list(expected) if isinstance(expected, tuple) else expected), key
    config = WhisperConfig(is_encoder_decoder=False, decoder_layers=2)
    assert (config.num_hidden_layers, config.num_attention_heads, config.max_position_embeddings) == (2, 6, 448)
