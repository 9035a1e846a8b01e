"""SentencePiece models are read and cut text as the sentencepiece library does; damaged ones are refused."""

import random
from pathlib import Path
from typing import Any

import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing.sentencepiece_model import Algorithm, PieceType, read_sentencepiece
from modelry.preprocessing.tokenizer import Tokenizer

sentencepiece = pytest.importorskip("sentencepiece")


@pytest.mark.parametrize("name", ["unigram", "unigram-bytes", "t5", "llama", "bpe", "no-prefix"])
def test_the_same_ids(trained: Any, varied_texts: list[str], name: str) -> None:
    path = trained(name)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = Tokenizer.from_files(
        {"tokenizer.model": path.read_bytes()}, tokenizer_class="LlamaTokenizer", add_bos_token=False
    )
    assert ours.vocab_size == theirs.vocab_size()
    special = ("<s>", "</s>", "<unk>", "<pad>")  # the library never finds these in a text
    texts = [text for text in varied_texts if "\x00" not in text and not any(token in text for token in special)]
    same = 0
    for text in texts:
        wanted, found = theirs.encode(text), ours.encode(text)
        if found == wanted:
            same += 1
            if theirs.unk_id() not in wanted:
                assert ours.decode(wanted) == theirs.decode(wanted)
            continue
        normalizer = ours.backend_tokenizer.normalizer
        otherwise_normalized = normalizer.normalize_str(text) != theirs.normalize(text).replace(" ", "▁")
        as_likely = sum(map(theirs.get_score, found)) == pytest.approx(sum(map(theirs.get_score, wanted)), rel=1e-6)
        assert otherwise_normalized or as_likely, (text[:80], ours.tokenize(text), theirs.encode(text, out_type=str))
    assert same > 0.96 * len(texts)


def test_like_transformers_llama(trained: Any, varied_texts: list[str], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    (tmp_path / "tokenizer.model").write_bytes(trained("llama").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "add_eos_token": false, "legacy": false}'
    )
    theirs = transformers.LlamaTokenizer.from_pretrained(tmp_path)
    ours = Tokenizer.from_pretrained(tmp_path)
    for text in varied_texts:
        assert ours.encode(text) == theirs.encode(text), text[:80]
        assert ours.decode(ours.encode(text)) == theirs.decode(theirs.encode(text))
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert ours.padding_side == theirs.padding_side == "left"


def test_t5_has_sentinels(trained: Any) -> None:
    tokenizer = Tokenizer.from_files({"spiece.model": trained("t5").read_bytes()}, tokenizer_class="T5Tokenizer")
    assert len(tokenizer) == tokenizer.vocab_size + 100
    assert tokenizer.convert_tokens_to_ids("<extra_id_0>") == len(tokenizer) - 1
    assert tokenizer.encode("the cat")[-1] == tokenizer.eos_token_id == 1
    assert tokenizer.pad_token_id == 0
    assert tokenizer.tokenize("a <extra_id_1> b")[-2:] == ["<extra_id_1>", "▁b"]


def test_user_defined_symbols_are_whole(trained: Any) -> None:
    tokenizer = Tokenizer.from_files({"tokenizer.model": trained("bpe").read_bytes()})
    assert "<sym>" in tokenizer.tokenize("a <sym> b")
    assert "<sym>" in tokenizer.decode(tokenizer.encode("a<sym>b"), skip_special_tokens=True)


def test_what_a_file_says(trained: Any) -> None:
    model = read_sentencepiece(trained("t5").read_bytes(), "t5")
    assert model.algorithm is Algorithm.UNIGRAM
    assert (model.pad_id, model.eos_id, model.unk_id, model.bos_id) == (0, 1, 2, -1)
    assert model.pieces[2].kind is PieceType.UNKNOWN
    assert model.pieces[0].text == "<pad>"
    assert model.charsmap
    llama = read_sentencepiece(trained("llama").read_bytes(), "llama")
    assert llama.algorithm is Algorithm.BPE
    assert llama.byte_fallback
    assert not llama.remove_extra_whitespaces
    assert sum(piece.kind is PieceType.BYTE for piece in llama.pieces) == 256


def test_other_layouts_are_refused(trained: Any) -> None:
    files = {"sentencepiece.bpe.model": trained("unigram").read_bytes()}
    with pytest.raises(PreprocessorError, match="tokenizer_class 'CamembertTokenizer', whose way to number tokens"):
        Tokenizer.from_files(files, tokenizer_class="CamembertTokenizer")


def test_word_models_are_refused(tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat"] * 5),
        model_prefix=str(tmp_path / "word"),
        vocab_size=10,
        hard_vocab_limit=False,
        model_type="char",
        minloglevel=3,
    )
    with pytest.raises(PreprocessorError, match="of type CHAR; UNIGRAM and BPE can be read"):
        Tokenizer.from_files({"tokenizer.model": (tmp_path / "word.model").read_bytes()})


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a model", b"\x0a\xff\xff\xff\xff\x0f", b"\xff" * 40, b"\x0b\x01"])
def test_no_models(data: bytes) -> None:
    with pytest.raises(PreprocessorError, match="is not a SentencePiece model, or it is damaged"):
        Tokenizer.from_files({"tokenizer.model": data})


def test_damaged_models_never_crash(trained: Any) -> None:
    whole = trained("llama").read_bytes()
    chance = random.Random(3)
    refused = 0
    for _ in range(150):
        data = bytearray(whole[: chance.randint(1, len(whole))])
        for _ in range(chance.randint(0, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            Tokenizer.from_files({"tokenizer.model": bytes(data)}).encode("the cat 😀")
        except PreprocessorError:
            refused += 1
    assert refused > 50
