"""torch.export: programs whose batch and length are free give the numbers of the model at other shapes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export

from modelry import AutoConfig, AutoModelForCausalLM
from modelry.exporting import DecoderWithCache
from modelry.outputs import CausalLMOutputWithPast
from modelry_registry import get_registry

FREE = Dim.AUTO
Make = Callable[..., Any]


def text(rows: int, length: int, *, padded: int = 0, seed: int = 0) -> dict[str, Tensor]:
    """Random ids; the first row is padded on the left."""
    draw = torch.Generator().manual_seed(seed)
    mask = torch.ones(rows, length, dtype=torch.long)
    mask[0, :padded] = 0
    return {"input_ids": torch.randint(1, 96, (rows, length), generator=draw), "attention_mask": mask}


def program_of(model: Any, given: dict[str, Tensor]) -> Any:
    """The model as a program, rows and lengths free."""
    return export(model, (), given, dynamic_shapes={key: {0: FREE, 1: FREE} for key in given})


@pytest.mark.filterwarnings("ignore:The given buffer is not writable")  # which torch.export.load of PyTorch 2.11 reads
@torch.no_grad()
def test_the_document(documented: Callable[..., Any], checkpoint: Path) -> None:
    """A decoder, saved and loaded, at other shapes and with padding."""
    names = documented("torch.export", checkpoint)
    model, program = names["model"], torch.export.load("model.pt2").module()
    for rows, length in ((3, 12), (1, 40), (2, 2)):
        given = text(rows, length, padded=length // 4)
        out, expected = program(**given), model(**given)
        assert type(out) is CausalLMOutputWithPast
        assert out.past_key_values is None
        real = given["attention_mask"].bool()
        assert torch.allclose(out.logits[real], expected.logits[real], atol=1e-5)


@torch.no_grad()
def test_a_decoder_without_padding_and_with_plain_attention(tiny: Make) -> None:
    model = tiny("ForCausalLM", "llama", num_hidden_layers=1)
    model.set_attn_implementation("eager")
    program = program_of(model, {"input_ids": text(2, 7)["input_ids"]}).module()
    ids = text(3, 40)["input_ids"]
    assert torch.allclose(program(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-5)


def past(rows: int, length: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(rows + length)
    return [torch.randn(rows, 2, length, 16, generator=draw) for _ in range(2)]


def of_cache(model: Any) -> Any:
    """One program reads the prompt and each token behind it."""
    held = {0: FREE, 2: FREE}
    shapes = ({0: FREE, 1: FREE}, {0: FREE, 1: FREE}, [held, held], [held, held])
    given = (torch.ones(2, 3, dtype=torch.long), torch.ones(2, 8, dtype=torch.long), past(2, 5), past(2, 5))
    return export(DecoderWithCache(model).eval(), given, dynamic_shapes=shapes).module()


@torch.no_grad()
def test_a_decoder_with_its_cache(tiny: Make) -> None:
    model = tiny("ForCausalLM", "llama")
    program = of_cache(model)
    given = text(2, 6, padded=2)
    whole = model(**given).logits
    cache = model.make_cache()
    ids, mask = given["input_ids"], given["attention_mask"]
    model(input_ids=ids[:, :4], attention_mask=mask[:, :4], past_key_values=cache, use_cache=True)
    keys = [layer.keys[:, :, :4] for layer in cache]
    values = [layer.values[:, :, :4] for layer in cache]
    for number in (4, 5):
        logits, keys, values = program(ids[:, number : number + 1], mask[:, : number + 1], keys, values)
        assert torch.allclose(logits[:, 0], whole[:, number], atol=1e-5)
        assert keys[0].shape == (2, 2, number + 1, 16)


@torch.no_grad()
def test_an_encoder_of_text(tiny: Make) -> None:
    """As long as its table of positions: with Dim.AUTO torch finds the limit by itself."""
    model = tiny("ForSequenceClassification", "bert", num_labels=3, num_hidden_layers=1)
    program = program_of(model, text(2, 7, padded=2)).module()
    given = text(3, 12, padded=4)
    assert torch.allclose(program(**given).logits, model(**given).logits, atol=1e-5)


@torch.no_grad()
def test_images(tiny: Make) -> None:
    model = tiny("ForImageClassification", "vit", num_hidden_layers=1)
    given = {"pixel_values": torch.randn(2, 3, 32, 32)}
    program = export(model, (), given, dynamic_shapes={"pixel_values": {0: FREE}}).module()
    images = torch.randn(5, 3, 32, 32)
    assert torch.allclose(program(pixel_values=images).logits, model(pixel_values=images).logits, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["whisper", "t5"])
def test_an_encoder_and_a_decoder(tiny: Make, name: str) -> None:
    model = tiny("ForSpeechSeq2Seq" if name == "whisper" else "ForSeq2SeqLM", name)

    def inputs(rows: int, length: int) -> dict[str, Tensor]:
        return {"input_features": torch.ones(rows, 8, 40)} if name == "whisper" else text(rows, length, padded=1)

    given = {**inputs(2, 5), "decoder_input_ids": torch.ones(2, 7, dtype=torch.long)}
    shapes = {key: {0: FREE} if key == "input_features" else {0: FREE, 1: FREE} for key in given}
    program = export(model, (), given, dynamic_shapes=shapes).module()
    other = {**inputs(3, 11), "decoder_input_ids": text(3, 9)["input_ids"]}
    assert torch.allclose(program(**other).logits, model(**other).logits, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["mixtral", "mistral"])
def test_other_decoders(name: str) -> None:
    """Experts that are chosen by what they read, and layers that see a window."""
    family: Any = get_registry().get("models", name)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**{**family.tiny, "num_hidden_layers": 1})).eval()
    ids = text(2, 7)["input_ids"] % family.tiny["vocab_size"]
    program = program_of(model, {"input_ids": ids}).module()
    longer = torch.cat([ids, ids.flip(1)], 1)
    assert torch.allclose(program(input_ids=longer).logits, model(input_ids=longer).logits, atol=1e-5)
