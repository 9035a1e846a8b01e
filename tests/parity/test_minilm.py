"""all-MiniLM-L6-v2: its sentence embeddings, held against the reference's model, pooled and normalised by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import pipeline

pytestmark = pytest.mark.models

SENTENCES = [
    "The cat sits outside.",
    "A man is playing the guitar.",
    "Der Zug nach Köln fährt heute nicht.",
    "rain",
    "I love pasta, and I love the long evenings in which nobody asks for anything but another plate of it. " * 3,
    "The new movie is awesome!",
    "A woman watches TV, 42 times a year; her neighbour's cat — who else? — joins her.",
]


@pytest.fixture(scope="module")
def minilm(models: Path) -> Path:
    path = models / "minilm"
    assert path.is_dir(), f"{path} is not there. Run: make models"
    return path


@pytest.fixture(scope="module")
def embed(minilm: Path) -> Any:
    return pipeline("sentence-embedding", model=minilm, device="cpu")


def test_embeddings_are_the_same(minilm: Path, embed: Any) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    model = transformers.BertModel.from_pretrained(minilm).eval()
    inputs = tokenizer(SENTENCES, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    for size in (1, 3, 32):
        torch.testing.assert_close(torch.stack(embed(SENTENCES, batch_size=size)), expected, atol=1e-5, rtol=0)


def test_like_sentences_are_alike(embed: Any) -> None:
    first, second, other = embed(["A plane is taking off.", "An airplane departs.", "A man eats soup."])
    assert embed.similarity(first, second) > embed.similarity(first, other) + 0.3
