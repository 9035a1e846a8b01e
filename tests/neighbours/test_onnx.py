"""ONNX by torch's own exporter: onnxruntime gives our numbers at other shapes than those exported."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.export import Dim

FREE = Dim.DYNAMIC
Make = Callable[..., Any]
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method. is:DeprecationWarning"),
]


def written(model: Any, inputs: Sequence[Any], shapes: Any, path: Path) -> Callable[..., list[Tensor]]:
    """The model in a file, as a function of the same inputs."""
    torch.onnx.export(model.eval(), tuple(inputs), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
    session = onnxruntime.InferenceSession(path)
    names = [one.name for one in session.get_inputs()]

    def run(*given: Any) -> list[Tensor]:
        leaves = torch.utils._pytree.tree_leaves(given)
        out = session.run(None, {name: leaf.numpy() for name, leaf in zip(names, leaves, strict=True)})
        return [torch.from_numpy(one) for one in out]

    return run


def text(rows: int, length: int, *, padded: int) -> tuple[Tensor, Tensor]:
    mask = torch.ones(rows, length, dtype=torch.long)
    mask[0, :padded] = 0
    return torch.randint(1, 96, (rows, length), generator=torch.Generator().manual_seed(length)), mask


@torch.no_grad()
def test_an_encoder_of_text(tiny: Make, tmp_path: Path) -> None:
    model = tiny("ForSequenceClassification", "bert", num_labels=3, num_hidden_layers=1)
    free = {0: FREE, 1: FREE}
    shapes = {"input_ids": free, "attention_mask": free}
    run = written(model, text(2, 7, padded=2), shapes, tmp_path / "bert.onnx")
    for rows, length in ((3, 40), (1, 5)):
        ids, mask = text(rows, length, padded=3)
        assert torch.allclose(run(ids, mask)[0], model(input_ids=ids, attention_mask=mask).logits, atol=1e-5)


@torch.no_grad()
def test_sound(tiny: Make, tmp_path: Path) -> None:
    encoder = tiny("ForSpeechSeq2Seq", "whisper").get_encoder()
    run = written(encoder, [torch.randn(2, 8, 40)], {"input_features": {0: FREE}}, tmp_path / "whisper.onnx")
    sound = torch.randn(5, 8, 40)
    assert torch.allclose(run(sound)[0], encoder(sound).last_hidden_state, atol=1e-4)


@torch.no_grad()
def test_the_document(documented: Callable[..., Any], checkpoint: Path) -> None:
    """A decoder with its cache writes the same text, rows of several lengths included."""
    names = documented("ONNX", checkpoint)
    model, session = names["model"], names["session"]
    assert torch.allclose(torch.from_numpy(names["logits"]), model(names["prompt"]).logits, atol=1e-4)
    inputs = [one.name for one in session.get_inputs()]
    ids, mask = text(2, 6, padded=3)
    options = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None}
    expected = model.generate(ids, attention_mask=mask, **options)
    said, caches = ids, [one.numpy() for one in (*names["past"](2, 0), *names["past"](2, 0))]
    for _ in range(5):
        given = [ids.numpy(), mask.numpy(), *caches]
        logits, *caches = session.run(None, dict(zip(inputs, given, strict=True)))
        ids = torch.from_numpy(logits[:, -1:]).argmax(-1)
        said, mask = torch.cat((said, ids), 1), torch.cat((mask, torch.ones_like(ids)), 1)
    assert torch.equal(said, expected)
    whole = model(input_ids=said[:, :-1], attention_mask=mask[:, :-1]).logits
    assert torch.allclose(torch.from_numpy(logits[:, -1]), whole[:, -1], atol=1e-4)
