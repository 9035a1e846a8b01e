"""Byte-level vocabularies: the same ids and offsets as transformers 5.23 gets from the same file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from modelry_gguf.reader import GgufReader

SAME = ("gpt-2", "default", "dbrx", "deepseek-r1-qwen", "tekken", "gpt-4o", "llama-bpe")
"""Kinds that transformers cuts as the published tokenizers do; not smollm (single digits) and qwen2 (NFC)."""


@pytest.mark.parametrize("kind", SAME)
def test_ids_and_offsets(
    tmp_path: Path, write_model: Callable[..., Any], byte_level_tokenizer: dict[str, Any], texts: list[str], kind: str
) -> None:
    import transformers

    values = byte_level_tokenizer | {"tokenizer.ggml.pre": kind, "tokenizer.ggml.add_bos_token": kind == "llama-bpe"}
    path = tmp_path / "tiny.gguf"
    write_model(path, tokenizer=values, num_hidden_layers=1)
    other = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file=path.name)
    with GgufReader(path) as reader:
        files = reader.tokenizer_files()
    assert files is not None
    tokenizer = Tokenizer.from_str(files["tokenizer.json"])
    assert len(texts) >= 200
    for text in [*texts, "a<|end|>b <|start|> <think>c"]:
        got = tokenizer.encode(text)
        expected = other(text, return_offsets_mapping=True)
        assert got.ids == expected["input_ids"], repr(text)
        assert got.offsets == expected["offset_mapping"], repr(text)
        assert tokenizer.decode(got.ids, skip_special_tokens=False) == other.decode(got.ids), repr(text)
