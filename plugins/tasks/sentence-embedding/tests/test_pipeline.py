"""Vectors of texts: what the checkpoint says is done, and held against a loop over transformers' model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from modelry import pipeline
from modelry.errors import PipelineError, PreprocessorError

Make = Callable[..., Path]
TEXTS = ["the rain came", "by the sea", "a tin roof and then the inn, where the rain is", "who?"]


def embed(folder: Path, **options: Any) -> Any:
    return pipeline("sentence-embedding", model=folder, device="cpu", **options)


def tokens(folder: Path, text: str, **options: Any) -> Tensor:
    """(T, D) of one text, by the reference."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.BertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        hidden: Tensor = model(**tokenizer(text, return_tensors="pt", **options)).last_hidden_state[0]
    return hidden


def test_mean_and_normalised(checkpoint: Make) -> None:
    folder = checkpoint()
    found = embed(folder)(TEXTS, batch_size=3)
    for text, vector in zip(TEXTS, found, strict=True):
        expected = tokens(folder, text).mean(0)
        torch.testing.assert_close(vector, expected / expected.norm(), atol=1e-5, rtol=1e-5)
    assert not found[0].requires_grad
    assert torch.stack(found).mul(2).shape == (4, 32)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, lambda x: x[0]),
        ({"pooling_mode": "lasttoken"}, lambda x: x[-1]),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
            lambda x: torch.cat((x.max(0).values, x.mean(0))),
        ),
        ({"pooling_mode": ["mean", "cls"]}, lambda x: torch.cat((x.mean(0), x[0]))),
    ],
)
def test_pooling_as_the_checkpoint_says(checkpoint: Make, pooling: dict[str, Any], expected: Any) -> None:
    folder = checkpoint(pooling, steps=("Transformer", "Pooling"))
    torch.testing.assert_close(embed(folder)(TEXTS[2]), expected(tokens(folder, TEXTS[2])), atol=1e-5, rtol=1e-5)


def test_a_call_says_otherwise(checkpoint: Make) -> None:
    folder = checkpoint()
    found = embed(folder)(TEXTS[0], pooling=["cls", "max"], normalize=False)
    hidden = tokens(folder, TEXTS[0])
    torch.testing.assert_close(found, torch.cat((hidden[0], hidden.max(0).values)), atol=1e-5, rtol=1e-5)


def test_length_and_case(checkpoint: Make) -> None:
    folder = checkpoint(length={"max_seq_length": 4, "do_lower_case": True}, steps=("Transformer", "Pooling"))
    make = embed(folder)
    expected = tokens(folder, TEXTS[2], truncation=True, max_length=4).mean(0)
    torch.testing.assert_close(make(TEXTS[2].upper()), expected, atol=1e-5, rtol=1e-5)
    longer = tokens(folder, TEXTS[2], truncation=True, max_length=7).mean(0)
    torch.testing.assert_close(make(TEXTS[2], max_length=7), longer, atol=1e-5, rtol=1e-5)
    with pytest.raises(PipelineError, match="has 202 positions and the model 64"):
        make("rain " * 200, truncation=False)


def test_prompts(checkpoint: Make) -> None:
    extras = {"prompts": {"query": "who is ", "text": "the "}, "default_prompt_name": "text"}
    folder = checkpoint({"pooling_mode": "mean", "include_prompt": False}, extras=extras)
    make = embed(folder)
    hidden = tokens(folder, "who is by the sea")[3:].mean(0)
    torch.testing.assert_close(make(TEXTS[1], prompt_name="query"), hidden / hidden.norm(), atol=1e-5, rtol=1e-5)
    default = tokens(folder, "the by the sea")[2:].mean(0)
    torch.testing.assert_close(make(TEXTS[1]), default / default.norm(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(make(TEXTS[1], prompt="who is "), make(TEXTS[1], prompt_name="query"))
    with pytest.raises(PipelineError, match="no prompt 'title'; it has 'query', 'text'"):
        make(TEXTS[1], prompt_name="title")


def test_similarity_by_the_checkpoints_measure(checkpoint: Make) -> None:
    make = embed(checkpoint(extras={"similarity_fn_name": "dot"}))
    vectors = make(TEXTS, normalize=False)
    torch.testing.assert_close(make.similarity(vectors, vectors[0])[:, 0], torch.stack(vectors) @ vectors[0])


def test_what_is_saved_is_read_again(checkpoint: Make, tmp_path: Path) -> None:
    pooling = {"pooling_mode_max_tokens": True, "pooling_mode_cls_token": True}
    first = embed(checkpoint(pooling, length={"max_seq_length": 9}, extras={"prompts": {"a": "b"}}))
    first.save_pretrained(tmp_path / "again")
    assert embed(tmp_path / "again").encoder == first.encoder
    plain = pipeline("sentence-embedding", model=first.model, tokenizer=first.tokenizer)
    assert plain.encoder == first.encoder, "a model knows where it came from"


def test_a_checkpoint_that_says_nothing(checkpoint: Make) -> None:
    folder = checkpoint()
    for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
        (folder / name).unlink()
    torch.testing.assert_close(embed(folder)(TEXTS[0]), tokens(folder, TEXTS[0]).mean(0), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"steps": ("Transformer", "Pooling", "Dense")}, "has a step 'Dense'; known are Transformer, Pooling"),
        ({"pooling": {"pooling_mode": "median"}}, "pools by 'median'; known are mean, cls"),
        ({"extras": {"similarity_fn_name": "angle"}}, "names the similarity 'angle'; known are cosine"),
    ],
)
def test_what_is_not_known_is_refused(checkpoint: Make, files: dict[str, Any], message: str) -> None:
    with pytest.raises(PreprocessorError, match=message):
        embed(checkpoint(**files))


def test_broken_files(checkpoint: Make) -> None:
    folder = checkpoint()
    (folder / "modules.json").write_text("{}")
    with pytest.raises(PreprocessorError, match="holds a dict, and should hold a list"):
        embed(folder)
    (folder / "modules.json").write_text("[")
    with pytest.raises(PreprocessorError, match="is no JSON"):
        embed(folder)
