"""Vocabularies older than tokenizer.json give the ids that transformers gives, and damaged ones are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers")

FIELDS = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
SHORT = 200


def same(ours: Tokenizer, theirs: Any, texts: list[str]) -> None:
    texts = [text[:SHORT] for text in texts]
    assert dict(ours(texts, **FIELDS)) == dict(theirs(texts, **FIELDS))
    assert dict(ours(texts, texts[::-1])) == dict(theirs(texts, texts[::-1]))
    rows = ours(texts)["input_ids"]
    assert ours.batch_decode(rows) == theirs.batch_decode(rows)
    for name in ("special_tokens_map", "all_special_ids", "padding_side", "model_input_names"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.fixture
def gpt2_files(published: Callable[[str], Path], tmp_path: Path) -> Path:
    model = json.loads((published("gpt2") / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (tmp_path / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("lower", [True, False])
def test_bert(minilm: Path, tmp_path: Path, varied_texts: list[str], lower: bool) -> None:
    (tmp_path / "vocab.txt").write_bytes((minilm / "vocab.txt").read_bytes())
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": lower, "model_max_length": 512}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    ours = Tokenizer.from_pretrained(tmp_path)
    same(ours, transformers.BertTokenizer.from_pretrained(tmp_path), varied_texts)
    if lower:
        assert ours(varied_texts) == Tokenizer.from_pretrained(minilm)(varied_texts)


def test_bert_without_a_configuration(minilm: Path) -> None:
    alone = Tokenizer.from_pretrained(minilm / "vocab.txt")
    assert alone.tokenize("Hello there", add_special_tokens=True) == ["[CLS]", "hello", "there", "[SEP]"]


def test_gpt2(gpt2_files: Path, varied_texts: list[str]) -> None:
    theirs = transformers.GPT2Tokenizer.from_pretrained(gpt2_files)
    same(Tokenizer.from_pretrained(gpt2_files), theirs, varied_texts)
    prefixed = Tokenizer.from_pretrained(gpt2_files, add_prefix_space=True)
    assert prefixed.tokenize("the") == prefixed.tokenize(" the")


def test_roberta(gpt2_files: Path, varied_texts: list[str]) -> None:
    vocab = json.loads((gpt2_files / "vocab.json").read_text(encoding="utf-8"))
    for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>"):
        vocab[token] = len(vocab)
    (gpt2_files / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (gpt2_files / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer"}))
    ours = Tokenizer.from_pretrained(gpt2_files)
    same(ours, transformers.RobertaTokenizer.from_pretrained(gpt2_files), varied_texts)
    assert ours.encode("a <mask> b", add_special_tokens=False)[1] == ours.mask_token_id


def test_old_added_tokens(gpt2_files: Path) -> None:
    (gpt2_files / "added_tokens.json").write_text(json.dumps({"<late>": 601, "<early>": 600}))
    (gpt2_files / "special_tokens_map.json").write_text(json.dumps({"pad_token": "<late>"}))
    tokenizer = Tokenizer.from_pretrained(gpt2_files)
    assert tokenizer.convert_tokens_to_ids(["<early>", "<late>"]) == [600, 601]
    assert tokenizer.pad_token_id == 601
    assert not tokenizer.added_tokens_decoder[600].special


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", "{", "vocab.json is not valid JSON"),
        ("vocab.json", '{"a": "b"}', "gives 'a' the id 'b'"),
        ("vocab.json", '{"a</w>": 0}', "marks the ends of words.*needs its tokenizer.json"),
        ("merges.txt", "a b c", r"merges.txt, line 1, is 'a b c'; two tokens"),
        ("merges.txt", "#version\nzq qz", r"merges.txt, line 2, merges 'zq' and 'qz', which vocab.json does not have"),
        (
            "tokenizer_config.json",
            '{"tokenizer_class": "Qwen2Tokenizer"}',
            "byte-bpe tokenizer and the tokenizer_class 'Qwen2",
        ),
        ("tokenizer_config.json", '{"tokenizer_class": "BertTokenizer"}', "add the model's tokenizer.json"),
        ("tokenizer_config.json", '{"tokenizer_class": "RobertaTokenizer"}', "vocab.json lacks <s>"),
    ],
)
def test_damaged(gpt2_files: Path, name: str, content: str, message: str) -> None:
    (gpt2_files / name).write_text(content)
    with pytest.raises(PreprocessorError, match=message):
        Tokenizer.from_pretrained(gpt2_files)


def test_missing_halves(gpt2_files: Path) -> None:
    vocab, merges = (gpt2_files / name for name in ("vocab.json", "merges.txt"))
    with pytest.raises(PreprocessorError, match=r"holds vocab.json but no merges.txt"):
        Tokenizer.from_files({"vocab.json": vocab.read_text(encoding="utf-8")})
    with pytest.raises(PreprocessorError, match=r"holds merges.txt but no vocab.json"):
        Tokenizer.from_files({"merges.txt": merges.read_text(encoding="utf-8")})
    with pytest.raises(PreprocessorError, match=r"vocab.txt lacks \[CLS\], \[SEP\]"):
        Tokenizer.from_files({"vocab.txt": "[UNK]\nhello\n"})
