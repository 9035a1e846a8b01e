"""What is special about two models as one: the image is read once, families come from the registry, bad input."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
from modelry.errors import ConfigError, GenerationError, MissingPlugin, ModelryWarning, RegistryError
from modelry.inference import prepared_step
from modelry_registry import Registry, get_registry, use_registry
from modelry_vision_encoder_decoder import VisionEncoderDecoderConfig, VisionEncoderDecoderModel


def tiny(**decoder: Any) -> VisionEncoderDecoderConfig:
    values: Any = get_registry().get("models", "vision-encoder-decoder").tiny
    return VisionEncoderDecoderConfig(**{**values, "decoder": {**values["decoder"], "init_std": 0.5, **decoder}})


@pytest.fixture(scope="module")
def model() -> VisionEncoderDecoderModel:
    torch.manual_seed(0)
    return VisionEncoderDecoderModel.from_config(tiny()).eval()


PIXELS = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_beams_look_at_the_image_once(model: VisionEncoderDecoderModel) -> None:
    calls: list[int] = []
    handle = model.encoder.register_forward_hook(lambda *_: calls.append(1))
    wanted: dict[str, Any] = {"num_beams": 3, "max_new_tokens": 8}
    cached = model.generate(PIXELS, **wanted)
    handle.remove()
    assert len(calls) == 1
    assert torch.equal(model.generate(pixel_values=PIXELS, use_cache=False, **wanted), cached)
    assert torch.equal(model.generate(PIXELS[1:], **wanted)[0, :5], cached[1, :5])


@pytest.mark.parametrize("decoder", ["mbart", "trocr"])
def test_the_decoder_is_stepped_through(decoder: str) -> None:
    """In a few operations a layer, without its own forward, and to the same logits."""
    pytest.importorskip(f"modelry_{decoder}")
    torch.manual_seed(0)
    values: Any = get_registry().get("models", decoder).tiny
    config = tiny().to_dict() | {"decoder": {**values, "model_type": decoder, "init_std": 0.5}}
    whole = VisionEncoderDecoderModel.from_config(VisionEncoderDecoderConfig(**config)).eval()
    wanted: dict[str, Any] = {
        "max_new_tokens": 9, "eos_token_id": None, "decoder_start_token_id": 2, "output_logits": True,
        "return_dict_in_generate": True,
    }  # fmt: skip
    whole.generate(PIXELS, **wanted)  # the first step ever is computed both ways
    calls: list[int] = []
    lent = whole.decoder.get_decoder()
    quick = whole.generate(PIXELS, **wanted)
    handle = lent.register_forward_hook(lambda *_: calls.append(1))
    slow = whole.generate(PIXELS, **wanted)
    handle.remove()
    assert len(calls) == 9
    assert torch.equal(quick.sequences, slow.sequences)
    torch.testing.assert_close(torch.stack(quick.logits), torch.stack(slow.logits), atol=1e-4, rtol=1e-4)
    assert prepared_step(whole) is not None
    assert prepared_step(whole.decoder) is None, "alone it looks at nothing"


def test_a_decoder_alone_drafts() -> None:
    """Of the encoder's states it looks at those that it was made for: as they are, or behind the projection."""
    pytest.importorskip("modelry_trocr")
    pytest.importorskip("modelry_speculative")
    torch.manual_seed(0)
    values: Any = get_registry().get("models", "trocr").tiny

    def decoder(wide: int, source: int | None) -> dict[str, Any]:
        return {**values, "model_type": "trocr", "d_model": wide, "cross_attention_hidden_size": source}

    encoder = tiny().encoder
    config = VisionEncoderDecoderConfig(**tiny().to_dict() | {"decoder": decoder(16, None)})
    whole = VisionEncoderDecoderModel.from_config(config).eval()
    assert whole.enc_to_dec_proj is not None
    wanted: dict[str, Any] = {"max_new_tokens": 6, "eos_token_id": None, "return_dict_in_generate": True}
    plain = whole.generate(PIXELS, **wanted).sequences
    own = whole.generate(PIXELS, assistant_model=whole.decoder, assistant_confidence_threshold=0.0, **wanted)
    assert own.statistics["acceptance_rate"] == 1.0
    assert torch.equal(own.sequences, plain)
    for source in (encoder.hidden_size, 16):
        draft = AutoModelForCausalLM.from_config(AutoConfig.for_model(**decoder(8, source))).eval()
        assert torch.equal(whole.generate(PIXELS, assistant_model=draft, **wanted).sequences, plain)
    draft = AutoModelForCausalLM.from_config(AutoConfig.for_model(**decoder(8, None))).eval()
    with pytest.raises(GenerationError, match=f"of width 8, and those of .* {encoder.hidden_size}, 16 behind its enc_"):
        whole.generate(PIXELS, assistant_model=draft, **wanted)


def test_a_missing_family_is_named_with_the_others(tmp_path: Path) -> None:
    values = tiny().to_dict()
    values["encoder"]["model_type"], values["decoder"]["model_type"] = "nowhere-vision", "nowhere-text"
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(RegistryError, match=r"(?s)nowhere-vision.*nowhere-text|nowhere-text.*nowhere-vision"):
        AutoModelForImageTextToText.from_pretrained(tmp_path)


def test_both_that_are_missing_are_in_one_error(tmp_path: Path) -> None:
    """One line installs all that the load needs."""
    gone = {"modelry-plugin-vit", "modelry-plugin-mbart"}
    (tmp_path / "config.json").write_text(json.dumps(tiny().to_dict()), encoding="utf-8")
    left = Registry([one for one in get_registry().candidates if one.distribution not in gone])
    with use_registry(left), pytest.raises(MissingPlugin, match="pip install modelry-plugin-mbart modelry-plugin-vit"):
        AutoModelForImageTextToText.from_pretrained(tmp_path)


def test_round_trip(model: VisionEncoderDecoderModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert (config.encoder.model_type, config.decoder.model_type) == ("vit", "mbart")
    again = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert isinstance(again, VisionEncoderDecoderModel)
    assert torch.equal(again.generate(PIXELS, max_new_tokens=5), model.generate(PIXELS, max_new_tokens=5))


def test_a_larger_vocabulary() -> None:
    model = VisionEncoderDecoderModel.from_config(tiny()).eval()
    model.resize_token_embeddings(100)
    assert model(PIXELS, torch.tensor([[99], [98]])).logits.shape == (2, 1, 100)
    assert model.config.decoder.vocab_size == 100


def test_refusals(model: VisionEncoderDecoderModel) -> None:
    with pytest.raises(ValueError, match="nothing to look at"):
        model(decoder_input_ids=torch.tensor([[3]]))
    with pytest.raises(ValueError, match="leave it out"):
        model(PIXELS, torch.tensor([[3], [4]]), attention_mask=torch.ones(2, 5))
    with pytest.raises(GenerationError, match="the model reads pixel_values"):
        model.generate()
    with pytest.raises(ConfigError, match="cross_attention_hidden_size 99"):
        tiny(cross_attention_hidden_size=99)
    unsaid = VisionEncoderDecoderModel.from_config(tiny())
    unsaid.config.decoder_start_token_id = None
    with pytest.raises(ValueError, match="decoder_start_token_id is None"):
        unsaid(PIXELS, labels=torch.tensor([[3], [4]]))


def test_an_encoder_without_its_pooler(model: VisionEncoderDecoderModel, tmp_path: Path) -> None:
    """Published TrOCRs are without one: their encoders were converted so, and the decoder looks at all states."""
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = {name: one for name, one in load_file(path).items() if not name.startswith("encoder.pooler.")}
    assert len(tensors) == len(load_file(path)) - 2
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.warns(ModelryWarning, match=r"encoder\.pooler\.dense"):
        again = VisionEncoderDecoderModel.from_pretrained(tmp_path)
    ids = torch.tensor([[2, 5, 6]]).expand(2, -1)
    assert torch.equal(again(PIXELS, ids).logits, model(PIXELS, ids).logits)
