"""Tokenizers small enough to train in a test, their published form on disk, and texts of many kinds."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

from modelry.preprocessing.tokenizer import Tokenizer

REPOSITORY = Path(__file__).resolve().parents[3]

HAND_WRITTEN = [
    "",
    " ",
    "  ",
    "\n",
    "\t\t\n  \r\n",
    "Hello, world!",
    " Hello",
    "Hello ",
    "hello   many    spaces",
    "don't won't I'm we've you're it's y'all",
    "The quick brown fox jumps over the lazy dog.",
    "def f(x):\n    return x ** 2  # square\n\n\nclass A:\n\tpass\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] << 2; }",
    '{"a": [1, 2.5, null], "b": {"c": "d\\n"}}',
    "SELECT * FROM t WHERE name = 'O''Brien';",
    "<html><body class='x'>&amp; &lt;3</body></html>",
    "https://example.org/path?q=1&r=%20#frag user@example.org",
    "😀",
    "👩‍👩‍👧‍👦 family, 🇫🇷 flag, 👍🏽 skin",
    "🤖🤖🤖 text 🎉",
    "你好，世界",
    "日本語のテキスト、カタカナ、ひらがな。",
    "한국어 텍스트입니다.",
    "繁體中文與简体中文混排 mixed with English",
    "مرحبا بالعالم",
    "שלום עולם",
    "Привет, мир! Ёлка",
    "Ελληνικά κείμενα",
    "हिन्दी में पाठ",
    "ไทยภาษา",
    "Tiếng Việt có dấu",
    "naïve café résumé Ångström ﬁne ﬀ",
    "e\u0301 a\u0300 combining",
    "\u200bzero\u200dwidth\ufeff",
    "\x00\x01\x02 control \x1b[31mred\x1b[0m \x7f",
    "a\u00a0b\u2003c\u3000d",
    "line\u2028separator\u2029paragraph",
    "\ufffd replacement \ufffd",
    "▁ metaspace ▁▁ char",
    "Ġ byte Ċ chars",
    "[CLS] text [SEP] [MASK] [UNK] [PAD]",
    "<s> text </s> <unk> <pad>",
    "<|im_start|>user\nhi<|im_end|>",
    "<|endoftext|><|endoftext|> x<|endoftext|>y",
    "1234567890 3.14159 1,000,000 0x1F 1e-10",
    "½ ² ③ Ⅳ ٣",
    "UPPER lower MiXeD camelCase snake_case kebab-case",
    "!!!???...;;;:::---___***",
    "a" * 300,
    "ab " * 400,
    "word " * 1500,
    "𝕳𝖊𝖑𝖑𝖔 𐍈 𠜎",
    "##ing ##ed un##able",
    "x" * 101 + " " + "y" * 100,
]


@pytest.fixture(scope="session")
def varied_texts() -> list[str]:
    """200 texts: those above, and random ones of all alphabets, always the same."""
    chance = random.Random(7)
    ranges = [
        (32, 126),
        (0, 255),
        (0x400, 0x4FF),
        (0x600, 0x6FF),
        (0x4E00, 0x9FFF),
        (0x1F300, 0x1F6FF),
        (0x3040, 0x30FF),
    ]
    words = " ".join(HAND_WRITTEN[:48]).split(" ")
    texts = list(HAND_WRITTEN)
    while len(texts) < 200:
        if chance.random() < 0.5:
            texts.append(" ".join(chance.choices(words, k=chance.randint(1, 30))))
        else:
            low, high = chance.choice(ranges)
            texts.append("".join(chr(chance.randint(low, high)) for _ in range(chance.randint(1, 60))))
    return texts


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the real MiniLM."""
    folder = Path(os.environ.get("MODELRY_MODELS", REPOSITORY / ".cache" / "models")) / "minilm"
    if not (folder / "tokenizer.json").is_file():
        pytest.skip(f"{folder} is not there; run: make models")
    return folder


def _corpus() -> list[str]:
    return [text for text in HAND_WRITTEN if text] * 3 + ["the cat sat on the mat and the dog ran away"] * 20


def train_byte_bpe(*, split: bool) -> tokenizers.Tokenizer:
    """Byte-level BPE: like GPT-2, or, with `split`, like Llama 3, whose words come from its own pattern."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    if split:
        pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        pattern += r"|\s*[\r\n]+|\s+(?!\S)|\s+"
        steps = [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=tokens, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(_corpus(), trainer)
    if split:
        begin = processors.TemplateProcessing(
            single="<|im_start|> $A", pair="<|im_start|> $A <|im_start|>:1 $B:1", special_tokens=[("<|im_start|>", 1)]
        )
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), begin])
    else:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


def train_unigram() -> tokenizers.Tokenizer:
    """Unigram with marked word beginnings, like T5."""
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokens = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=tokens, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(_corpus(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return tokenizer


def train_wordpiece() -> tokenizers.Tokenizer:
    """WordPiece, like a cased BERT."""
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=tokens, show_progress=False)
    tokenizer.train_from_iterator(_corpus(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
    "+ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

CONFIGS = {
    "gpt2": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "extra_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "model_max_length": 64,
        "chat_template": CHATML,
    },
    "llama3": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "model_max_length": 1000000000000000019884624838656,
        "clean_up_tokenization_spaces": True,
        "chat_template": CHATML,
    },
    "unigram": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "clean_up_tokenization_spaces": True,
        "model_max_length": 512,
    },
    "wordpiece": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": True, "rstrip": False, "special": True},
        "clean_up_tokenization_spaces": True,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "truncation_side": "left",
    },
}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name ("gpt2", "llama3", "unigram", "wordpiece") -> folder with a tokenizer of this kind."""
    trained = {
        "gpt2": lambda: train_byte_bpe(split=False),
        "llama3": lambda: train_byte_bpe(split=True),
        "unigram": train_unigram,
        "wordpiece": train_wordpiece,
    }
    root = tmp_path_factory.mktemp("tokenizers")

    def folder(name: str) -> Path:
        place = root / name
        if not place.is_dir():
            place.mkdir()
            tokenizer = trained[name]()
            if name == "gpt2":
                tokenizer.add_tokens(
                    [AddedToken("<tool>", lstrip=True, rstrip=True), AddedToken("wor", single_word=True)]
                )
            tokenizer.save(str(place / "tokenizer.json"))
            (place / "tokenizer_config.json").write_text(json.dumps(CONFIGS[name]), encoding="utf-8")
        return place

    return folder


@pytest.fixture
def gpt2(published: Callable[[str], Path]) -> Tokenizer:
    """A fresh small byte-level tokenizer with a chat template."""
    return Tokenizer.from_pretrained(published("gpt2"))


SENTENCEPIECE_MODELS: dict[str, dict[str, Any]] = {
    "unigram": {"model_type": "unigram"},
    "unigram-bytes": {"model_type": "unigram", "byte_fallback": True},
    "t5": {"model_type": "unigram", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    "llama": {
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "allow_whitespace_only_pieces": True,
    },
    "bpe": {"model_type": "bpe", "user_defined_symbols": ["<sym>"]},
    "no-prefix": {"model_type": "bpe", "add_dummy_prefix": False, "byte_fallback": True},
}


@pytest.fixture(scope="session")
def trained(varied_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function: name of a variant -> its SentencePiece model, trained once."""
    sentencepiece = pytest.importorskip("sentencepiece")
    root = tmp_path_factory.mktemp("sentencepiece")

    def train(name: str) -> Path:
        path = root / f"{name}.model"
        if not path.is_file():
            lines = [line for text in varied_texts[:130] for line in text.split("\n") if line.strip()]
            lines = [line.replace("\x00", "")[:2000] for line in lines] * 4
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_prefix=str(path.with_suffix("")),
                vocab_size=1400,
                hard_vocab_limit=False,
                character_coverage=0.98,
                minloglevel=3,
                num_threads=1,
                **SENTENCEPIECE_MODELS[name],
            )
        return path

    return train
