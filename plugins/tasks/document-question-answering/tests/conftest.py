"""Tiny models that read documents, and pages drawn with Pillow, for the tests of this task."""

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from modelry_registry import get_registry, resolve
from modelry_testing.models.subject import told_apart
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.tokenizer_files import MERGES, byte_characters, write_tokenizer

LINES = ("Invoice number 1234", "Date 2026-11-22", "Total 42 EUR", "Signed by Ada")
TAGS = ("<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>")


def save_extracting(folder: Path, *, longest: int = 96, **values: Any) -> Path:
    """A tiny LayoutLMv3 with byte-level tokens."""
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *byte_characters(), *("".join(pair) for pair in MERGES)]
    family = get_registry().get("models", "layoutlmv3")
    config_class: Any = resolve(family.config)
    head_class: Any = resolve(family.heads["document-question-answering"])
    sizes: dict[str, Any] = {"vocab_size": len(words), "max_position_embeddings": longest + 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = told_apart(head_class.from_config(config_class(**(dict(family.tiny) | sizes | values))))
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}), "utf-8")
    (folder / "merges.txt").write_text("\n".join(" ".join(pair) for pair in MERGES) + "\n", "utf-8")
    settings = {"tokenizer_class": "LayoutLMv3Tokenizer", "model_max_length": longest}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    images = {"image_processor_type": "LayoutLMv3ImageProcessor", "size": 32, "apply_ocr": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(images), "utf-8")
    return folder


def save_writing(folder: Path, *, tags: bool = True) -> Path:
    """A tiny image encoder with a text decoder, and a tokenizer that knows Donut's tags or does not."""
    words = 300
    inner: Any = get_registry().get("models", "vision-encoder-decoder").tiny["decoder"]
    decoder = {**inner, "vocab_size": words, "max_position_embeddings": 160}
    size = {"size": {"height": 16, "width": 16}}
    save_picture_model(folder, "image-text-to-text", family="vision-encoder-decoder", processor=size, decoder=decoder)
    write_tokenizer(folder)
    if tags:
        import tokenizers

        path = str(folder / "tokenizer.json")
        backend = tokenizers.Tokenizer.from_file(path)
        backend.add_special_tokens(list(TAGS))
        backend.save(path)
    return folder


def drawn(lines: tuple[str, ...] = LINES) -> Image.Image:
    """A page with a line of letters each."""
    page = Image.new("RGB", (640, 90 * len(lines) + 40), "white")
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((40, 30 + 90 * number), line, fill="black", font=ImageFont.load_default(36))
    return page


@pytest.fixture(scope="session")
def extracting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_extracting(tmp_path_factory.mktemp("extracting"))


@pytest.fixture(scope="session")
def writing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_writing(tmp_path_factory.mktemp("writing"))


@pytest.fixture(scope="session")
def page() -> Image.Image:
    return drawn()


@pytest.fixture
def locked_pdf() -> bytes:
    """An empty page behind the password "open", by the oldest of the format's ciphers (PDF 1.7, 7.6.3, revision 2)."""
    filling = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
    word = (b"open" + filling)[:32]
    owner = _rc4(hashlib.md5(word).digest()[:5], word)
    allowed, name = -4, b"0123456789abcdef"
    key = hashlib.md5(word + owner + struct.pack("<i", allowed) + name).digest()[:5]
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>",
        b"<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P %d>>"
        % (owner.hex().encode(), _rc4(key, filling).hex().encode(), allowed),
    )
    made, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj%s endobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<%s><%s>]>>" % ((name.hex().encode(),) * 2)
    return made + b"xref\n0 5\n0000000000 65535 f \n%s%s\nstartxref\n%d\n%%%%EOF" % (table, trailer, len(made))


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


@pytest.fixture
def pdf(tmp_path: Path) -> Callable[..., Path]:
    """A function: pages of lines -> a PDF file of pictures of them."""

    def make(*pages: tuple[str, ...]) -> Path:
        first, *others = [drawn(lines) for lines in pages]
        path = tmp_path / "document.pdf"
        first.save(path, save_all=True, append_images=others, resolution=100)
        return path

    return make
