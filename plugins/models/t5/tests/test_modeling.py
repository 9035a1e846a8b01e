"""What is special about running T5: beams, embeddings that both sides share, checkpoints of several writers."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from modelry.errors import ModelryWarning
from modelry_registry import get_registry
from modelry_t5 import T5Config, T5EncoderModel, T5ForConditionalGeneration, T5Model

IDS = torch.tensor([[5, 9, 3, 4, 1], [6, 7, 1, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def values(**changes: Any) -> dict[str, Any]:
    return {**get_registry().get("models", "t5").tiny, **changes}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Their random model and ours of the same files."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("t5")
    config = transformers.T5Config(**values(initializer_factor=2.0, feed_forward_proj="gated-gelu"))
    theirs = transformers.T5ForConditionalGeneration(config).eval()
    theirs.save_pretrained(folder)
    return T5ForConditionalGeneration.from_pretrained(folder), theirs, folder


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 3},
        {"num_beams": 4, "num_return_sequences": 2, "no_repeat_ngram_size": 2, "early_stopping": True},
    ],
)
def test_beams_are_theirs(pair: Any, options: dict[str, Any], use_cache: bool) -> None:
    ours, theirs, _ = pair
    wanted = {"attention_mask": MASK, "max_new_tokens": 9, "use_cache": use_cache, **options}
    assert ours.generate(IDS, **wanted).tolist() == theirs.generate(IDS, **wanted).tolist()


def test_attentions_behind_a_cache_are_theirs(pair: Any) -> None:
    """Without the columns that a cache has room for."""
    folder = pair[2]
    ours = T5ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager")
    theirs = transformers.T5ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager")
    steps = []
    for model in (ours, theirs):
        first = model(IDS, attention_mask=MASK, decoder_input_ids=IDS[:, :2], use_cache=True)
        more = {"decoder_input_ids": IDS[:, 2:3], "past_key_values": first.past_key_values, "output_attentions": True}
        steps.append(model(encoder_outputs=(first.encoder_last_hidden_state,), attention_mask=MASK, **more))
    assert len(steps[0].decoder_attentions) == len(steps[1].decoder_attentions)
    for found, expected in zip(steps[0].decoder_attentions, steps[1].decoder_attentions, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_left_padding_changes_nothing(pair: Any) -> None:
    ours, _, _ = pair
    alone = ours.generate(IDS[1:, :3], max_new_tokens=6)
    left = torch.tensor([[0, 0, 6, 7, 1]])
    assert torch.equal(ours.generate(left, attention_mask=torch.tensor([[0, 0, 1, 1, 1]]), max_new_tokens=6), alone)


def test_both_sides_share_one_embedding_whatever_is_said() -> None:
    model = T5ForConditionalGeneration(T5Config(**values(tie_word_embeddings=False)))
    assert model.encoder.embed_tokens.weight is model.decoder.embed_tokens.weight is model.shared.weight
    assert model.lm_head.weight is not model.shared.weight
    model.resize_token_embeddings(120)
    assert model(IDS, decoder_input_ids=torch.tensor([[119], [118]])).logits.shape == (2, 1, 120)


def test_a_checkpoint_of_version_1_1(pair: Any, tmp_path: Path) -> None:
    """It has lm_head beside shared, and its configuration says that they are two."""
    _, _, folder = pair
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = torch.randn(96, 24)
    tensors["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.zeros(8, 3)
    save_file(tensors, tmp_path / "model.safetensors")
    T5Config(**values(feed_forward_proj="gated-gelu", tie_word_embeddings=False)).save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = T5ForConditionalGeneration.from_pretrained(tmp_path)
        encoder = T5EncoderModel.from_pretrained(tmp_path)
        T5Model.from_pretrained(tmp_path)
    assert torch.equal(model.lm_head.weight, tensors["lm_head.weight"])
    assert torch.equal(model.decoder.embed_tokens.weight, tensors["shared.weight"])
    with torch.no_grad():
        assert torch.equal(encoder(IDS, MASK)[0], model.encoder(IDS, attention_mask=MASK)[0])
    later = tmp_path / "later"
    model.config.tie_word_embeddings = True
    model.config.save_pretrained(later)
    save_file(tensors, later / "model.safetensors")
    with pytest.warns(ModelryWarning, match=r"keeps lm_head\.weight with values of its own"):
        again = T5ForConditionalGeneration.from_pretrained(later)
    assert torch.equal(again(IDS, decoder_input_ids=IDS).logits, model(IDS, decoder_input_ids=IDS).logits)


def test_an_encoder_beside_the_embedding_it_shares(pair: Any, tmp_path: Path) -> None:
    """As exports of the encoder alone keep it."""
    _, _, folder = pair
    tensors = {
        name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if name.startswith("encoder.")
    }
    tensors["encoder.embed_tokens.weight"] = load_file(folder / "model.safetensors")["shared.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    T5Config(**values(feed_forward_proj="gated-gelu")).save_pretrained(tmp_path)
    model = T5EncoderModel.from_pretrained(tmp_path)
    assert torch.equal(model.shared.weight, tensors["encoder.embed_tokens.weight"])


def test_weights_begin_by_their_width() -> None:
    model = T5ForConditionalGeneration(T5Config(**values(d_kv=32, num_heads=8)))
    attention = model.encoder.block[0].layer[0].SelfAttention
    assert float(attention.q.weight.detach().std()) == pytest.approx((24 * 32) ** -0.5, rel=0.1)
    assert float(attention.o.weight.detach().std()) == pytest.approx(256**-0.5, rel=0.1)
    assert float(model.shared.weight.detach().std()) == pytest.approx(1.0, rel=0.1)


def test_float16_stays_finite() -> None:
    model = T5Model(T5Config(**values(initializer_factor=30.0))).half().eval()
    with torch.no_grad():
        states = model(IDS, output_hidden_states=True).encoder_hidden_states
    assert all(torch.isfinite(one).all() for one in states)


@pytest.mark.parametrize("gated", [True, False])
def test_float16_keeps_what_leaves_its_range_in_float32(gated: bool, tmp_path: Path) -> None:
    """The MLP's last product, as published; bfloat16 has float32's range."""
    torch.manual_seed(0)
    config = T5Config(**values(feed_forward_proj="gated-gelu" if gated else "relu"))
    model = T5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, one in model.named_parameters():
            if name.endswith("DenseReluDense.wo.weight"):
                one.mul_(1e6)
    model.save_pretrained(tmp_path)
    wanted = model(IDS, MASK, decoder_input_ids=IDS).logits
    half = T5ForConditionalGeneration.from_pretrained(tmp_path, dtype="float16")
    theirs = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float16).eval()
    for name, one in theirs.named_parameters():
        ours = half.get_parameter(name)
        assert torch.equal(ours, one), name
        assert ours.dtype == (torch.float32 if ".wo." in name else torch.float16), name
    assert (half.dtype, half.config.dtype) == (torch.float16, "float16")
    with torch.no_grad():
        out = half(IDS, MASK, decoder_input_ids=IDS, output_hidden_states=True)
        torch.testing.assert_close(
            out.logits, theirs(IDS, attention_mask=MASK, decoder_input_ids=IDS).logits, atol=2e-2, rtol=0
        )
    torch.testing.assert_close(out.logits.float(), wanted, atol=5e-2, rtol=0)
    assert max(float(one.abs().max()) for one in out.decoder_hidden_states) > torch.finfo(torch.float16).max
    half.save_pretrained(tmp_path / "half")
    for folder in (tmp_path / "half", tmp_path):
        again = T5ForConditionalGeneration.from_pretrained(folder, device_map={"": "cpu"}, dtype=half.config.dtype)
        assert all(torch.equal(one, half.get_parameter(name)) for name, one in again.named_parameters())
    assert {one.dtype for one in T5ForConditionalGeneration.from_config(config, dtype="bfloat16").parameters()} == {
        torch.bfloat16
    }
    assert (
        T5EncoderModel.from_config(config, dtype="float16").encoder.block[0].layer[1].DenseReluDense.wo.weight.dtype
        == torch.float32
    )


def test_float16_packs_the_rest(tmp_path: Path) -> None:
    pytest.importorskip("modelry_int8")
    torch.manual_seed(0)
    T5ForConditionalGeneration(T5Config(**values())).save_pretrained(tmp_path)
    load = T5ForConditionalGeneration.from_pretrained
    packed = load(tmp_path, dtype="float16", quantization="int8").eval()
    layer = packed.decoder.block[0].layer[-1].DenseReluDense
    assert (layer.wi.weight.dtype, layer.wo.weight.dtype) == (torch.int8, torch.float32)
    wanted = packed(IDS, MASK, decoder_input_ids=IDS).logits
    packed.save_pretrained(tmp_path / "packed")
    assert torch.equal(load(tmp_path / "packed")(IDS, MASK, decoder_input_ids=IDS).logits, wanted)
    every = load(tmp_path, dtype="bfloat16", quantization="int8")
    assert every.decoder.block[0].layer[-1].DenseReluDense.wo.weight.dtype == torch.int8
    every.save_pretrained(tmp_path / "every")  # packed all, it is read in float16 too
    assert torch.isfinite(load(tmp_path / "every", dtype="float16")(IDS, MASK, decoder_input_ids=IDS).logits).all()


def test_refusals() -> None:
    model = T5ForConditionalGeneration(T5Config(**values(decoder_start_token_id=None))).eval()
    with pytest.raises(ValueError, match="decoder_start_token_id is None"):
        model(IDS, labels=IDS)
    with pytest.raises(ValueError, match="encoder either ids or embeddings"):
        model(decoder_input_ids=IDS)
    with pytest.raises(ValueError, match=r"must be \(rows, 5\)"):
        model(IDS, attention_mask=torch.ones(2, 4), decoder_input_ids=IDS)
