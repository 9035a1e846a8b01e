"""sentence-transformers with our encoder as its first module: the embeddings of its own, saved and read again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import InputModule
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from modelry import AutoModel, AutoTokenizer

TEXTS = ["A cat sat on the mat.", "Une phrase.", "the same length of words here", "x"]


class Encoder(InputModule):  # type: ignore[misc]  # its classes are read as Any
    """One of our models, and its tokenizer."""

    def __init__(self, folder: str, max_seq_length: int = 256) -> None:
        super().__init__()
        self.model: Any = AutoModel.from_pretrained(folder)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.max_seq_length = max_seq_length

    def preprocess(self, inputs: list[str], prompt: str | None = None, **more: Any) -> dict[str, Any]:
        texts = [(prompt or "") + text for text in inputs]
        return dict(
            self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_seq_length, return_tensors="pt")
        )

    def forward(self, features: dict[str, Any], **more: Any) -> dict[str, Any]:
        read = {name: features[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in features}
        features["token_embeddings"] = self.model(**read).last_hidden_state
        return features

    def get_embedding_dimension(self) -> int:
        return int(self.model.config.hidden_size)

    def save(self, output_path: str, *arguments: Any, **more: Any) -> None:
        self.model.save_pretrained(output_path)
        self.tokenizer.save_pretrained(output_path)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **more: Any) -> Self:
        return cls(str(Path(model_name_or_path) / subfolder))


@pytest.mark.models
def test_our_encoder_as_its_module(models: Path, tmp_path: Path) -> None:
    folder = str(models / "minilm")
    peer = SentenceTransformer(folder, device="cpu")
    encoder = Encoder(folder)
    ours = SentenceTransformer(
        modules=[encoder, Pooling(encoder.get_embedding_dimension(), "mean"), Normalize()], device="cpu"
    )
    expected = torch.as_tensor(peer.encode(TEXTS))
    found = torch.as_tensor(ours.encode(TEXTS))
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(ours.similarity(found[:1], found), peer.similarity(expected[:1], expected), atol=1e-5)
    ours.save_pretrained(str(tmp_path))
    again = SentenceTransformer(str(tmp_path), device="cpu", trust_remote_code=True)
    assert type(again[0]).__name__ == "Encoder"
    assert torch.allclose(torch.as_tensor(again.encode(TEXTS)), found, atol=1e-6)


@pytest.mark.models
def test_the_document(documented: Callable[..., Any], models: Path) -> None:
    names = documented("sentence-transformers", models / "minilm")
    ours = SentenceTransformer(
        modules=[Encoder(str(models / "minilm")), Pooling(384, "mean"), Normalize()], device="cpu"
    )
    assert np.allclose(names["vectors"], ours.encode(["A sentence.", "Another one."]), atol=1e-6)
