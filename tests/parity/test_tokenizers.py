"""The real tokenizers of SmolLM2 (in its GGUF file) and MiniLM: ids, offsets and chat templates as the oracle's."""

import random
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import transformers

from modelry import AutoTokenizer

pytestmark = pytest.mark.models

WRITTEN = [
    *("", " ", "   ", "\n", "\t\t\n  \r\n", "a", "\x00", "\ufffd", " Hello", "Hello ", "Hello,   many    spaces"),
    *("1234567890", "3.14159, 1,000,000 and 1e-10", "12  34\n\n5 \t6", "½ ² ③ Ⅳ ٣", "0x1F != 31", "v2.13.0-rc1"),
    "don't won't I'm we've you're it's y'all O'Brien's",
    "The quick brown fox jumps over the lazy dog.",
    "UPPER lower MiXeD camelCase snake_case kebab-case",
    "def f(x):\n    return x ** 2  # square\n\n\nclass A:\n\tpass\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] << 2; }",
    '{"a": [1, 2.5, null], "b": {"c": "d\\n"}}',
    "SELECT * FROM t WHERE name = 'O''Brien' AND n >= 10;",
    "<html><body class='x'>&amp; &lt;3</body></html> https://example.org/path?q=1&r=%20#frag",
    *("😀", "👩‍👩‍👧‍👦 family, 🇫🇷 flag, 👍🏽 skin", "🤖🤖🤖 text 🎉", "𝕳𝖊𝖑𝖑𝖔 𐍈 𠜎"),
    *("你好，世界", "日本語のテキスト、カタカナ、ひらがな。", "한국어 텍스트입니다.", "繁體中文與简体中文混排 mixed"),
    *("مرحبا بالعالم ١٢٣", "שלום עולם", "Привет, мир! Ёлка", "Ελληνικά κείμενα", "हिन्दी में पाठ", "ไทยภาษา"),
    *("Tiếng Việt có dấu", "naïve café résumé Ångström ﬁne ﬀ", "e\u0301 a\u0300 combining"),
    *("\u200bzero\u200dwidth\ufeff", "a\u00a0b\u2003c\u3000d", "line\u2028separator\u2029paragraph"),
    "\x00\x01\x02 control \x1b[31mred\x1b[0m \x7f\x85",
    *("▁ metaspace ▁▁", "Ġ byte Ċ chars", "##ing ##ed un##able", "<s> text </s> <unk> <pad>"),
    *("[CLS] text [SEP] [MASK] [UNK] [PAD]", "<|im_start|>user\nhi<|im_end|>\n", "a<|endoftext|>b"),
    *("a" * 300, "ab " * 200, "word " * 400, "x" * 101 + " " + "y" * 100, "!!!???...;;;:::---___***"),
]
ALPHABETS = [
    *((32, 126), (0, 255), (0x400, 0x4FF), (0x600, 0x6FF)),
    *((0x3040, 0x30FF), (0x4E00, 0x9FFF), (0x1F300, 0x1F6FF)),
]


def varied() -> list[str]:
    """250 texts: those above, and random ones of their words and of all alphabets, always the same."""
    chance = random.Random(11)
    words = [word for text in WRITTEN for word in text.split(" ")]
    texts = list(WRITTEN)
    while len(texts) < 250:
        low, high = chance.choice(ALPHABETS)
        texts.append(" ".join(chance.choices(words, k=chance.randint(1, 20))))
        texts.append("".join(chr(chance.randint(low, high)) for _ in range(chance.randint(1, 40))))
    return texts


TEXTS = varied()

CHATS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [{"role": "system", "content": "Be brief.\n"}, {"role": "user", "content": " 12 + 30?  "}],
    [
        {"role": "user", "content": "你好 😀"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "<|im_end|> is no text"},
    ],
]


@pytest.fixture(scope="module", params=["smollm2", "minilm"])
def pair(request: pytest.FixtureRequest, smollm2: Path, models: Path) -> tuple[Any, Any]:
    """(our tokenizer, the oracle's).

    The oracle's reader of GGUF files does not know the pre-tokenizer "smollm" and cuts as GPT-2 does; SmolLM2's
    published tokenizer, and llama.cpp, cut out single digits first. The oracle is told so.
    """
    if request.param == "minilm":
        folder = models / "minilm"
        return AutoTokenizer.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.AutoTokenizer.from_pretrained(smollm2.parent, gguf_file=smollm2.name)
    theirs.backend_tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return AutoTokenizer.from_pretrained(smollm2), theirs


def test_ids_offsets_and_text(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    asked = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "return_attention_mask": True}
    assert len(TEXTS) >= 200
    for text in TEXTS:
        found, wanted = ours(text, **asked), theirs(text, **asked)
        assert {name: found[name] for name in wanted if name in found} == dict(wanted), repr(text)
        assert found.word_ids() == wanted.word_ids(), repr(text)
        for skip in (False, True):
            assert ours.decode(found.input_ids, skip_special_tokens=skip) == theirs.decode(
                found.input_ids, skip_special_tokens=skip
            ), repr(text)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_and_cut_batches(pair: tuple[Any, Any], side: str) -> None:
    ours, theirs = pair
    cut = {"padding": True, "truncation": True, "max_length": 24, "padding_side": side, "return_tensors": "np"}
    found, wanted = ours(TEXTS, **cut), theirs(TEXTS, **cut)
    for name in ("input_ids", "attention_mask"):
        assert (found[name] == wanted[name]).all()


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize(
    "how", [{}, {"add_generation_prompt": True}, {"continue_final_message": True}], ids=["whole", "prompt", "continued"]
)
def test_chat_templates(pair: tuple[Any, Any], chat: list[dict[str, str]], how: dict[str, bool]) -> None:
    ours, theirs = pair
    if ours.chat_template is None:
        assert theirs.chat_template is None
        how = {**how, "chat_template": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"}
    assert ours.chat_template == theirs.chat_template
    assert ours.apply_chat_template(chat, tokenize=False, **how) == theirs.apply_chat_template(
        chat, tokenize=False, **how
    )
    found, wanted = ours.apply_chat_template(chat, **how), theirs.apply_chat_template(chat, **how)
    assert found["input_ids"] == wanted["input_ids"]
    assert found["attention_mask"] == wanted["attention_mask"]
