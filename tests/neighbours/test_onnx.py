"""ONNX by torch's own exporter: onnxruntime gives our numbers at other shapes than those exported."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.export import Dim

from modelry.exporting import DecoderWithCache

FREE = Dim.DYNAMIC
Make = Callable[..., Any]
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method. is deprecated"),
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
def test_images(tiny: Make, tmp_path: Path) -> None:
    model = tiny("ForImageClassification", "vit", num_hidden_layers=1)
    run = written(model, [torch.randn(2, 3, 32, 32)], {"pixel_values": {0: FREE}}, tmp_path / "vit.onnx")
    images = torch.randn(3, 3, 32, 32)
    assert torch.allclose(run(images)[0], model(images).logits, atol=1e-5)


@torch.no_grad()
def test_a_decoder_with_its_cache_writes_the_same(tiny: Make, tmp_path: Path) -> None:
    """One file reads the prompt, behind nothing, and each token behind it."""
    model = tiny("ForCausalLM", "llama", num_hidden_layers=1)

    def past(rows: int, length: int) -> list[Tensor]:
        return [torch.ones(rows, 2, length, 16)]

    free, held = {0: FREE, 1: FREE}, [{0: FREE, 2: FREE}]
    given = (*text(2, 8, padded=2), past(2, 5), past(2, 5))
    shapes = {"input_ids": free, "attention_mask": free, "past_keys": held, "past_values": held}
    run = written(DecoderWithCache(model), (given[0][:, :3], *given[1:]), shapes, tmp_path / "llama.onnx")
    ids, mask = text(2, 6, padded=3)
    expected = model.generate(ids, attention_mask=mask, max_new_tokens=5, do_sample=False, eos_token_id=None)
    keys, values, said = past(2, 0), past(2, 0), ids
    for _ in range(5):
        logits, key, value = run(ids, mask, keys, values)
        keys, values, ids = [key], [value], logits[:, -1:].argmax(-1)
        said, mask = torch.cat((said, ids), 1), torch.cat((mask, torch.ones_like(ids)), 1)
    assert torch.equal(said, expected)
    whole = model(input_ids=said[:, :-1], attention_mask=mask[:, :-1]).logits
    assert torch.allclose(logits[:, -1], whole[:, -1], atol=1e-4)
