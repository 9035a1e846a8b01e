"""Prepared steps of decoders that look at an encoder's output give the model's own logits."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelry.heads import BiasedSeq2SeqLM, TextDecoder, TextEncoder, TextToTextModel
from modelry.inference import prepared_step
from modelry.inference.answer_parts import answer_parts
from modelry.inference.answer_step import AnswerStep
from modelry.nn.encoder_decoder_config import EncoderDecoderConfig
from modelry.nn.fuse import fuse_projections
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutput
from modelry.packed.int8_linear import Int8Linear
from modelry.packed.int8_packing import pack_rows

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 200,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "scale_embedding": True,
}


class BehindEncoder(TextEncoder):
    config_class = EncoderDecoderConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config, norm_first=False)


class BehindDecoder(TextDecoder):
    config_class = EncoderDecoderConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config, norm_first=False)


class BeforeDecoder(TextDecoder):
    """As Whisper has it: norms in front, keys without a bias, no norm of the embeddings."""

    config_class = EncoderDecoderConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config, norm_first=True, embedding_norm=False, key_bias=False)


class Behind(TextToTextModel):
    config_class = EncoderDecoderConfig
    encoder_class = BehindEncoder
    decoder_class = BehindDecoder


class Before(TextToTextModel):
    config_class = EncoderDecoderConfig
    encoder_class = BehindEncoder
    decoder_class = BeforeDecoder


class BehindForAnswers(BiasedSeq2SeqLM):
    base_class = Behind


class BeforeForAnswers(BiasedSeq2SeqLM):
    base_class = Before


class Contrary(BeforeForAnswers):
    """Its forward is another."""

    def forward(self, *arguments: Any, **options: Any) -> Any:
        out = super().forward(*arguments, **options)
        out.logits = None
        return out


@pytest.fixture(params=[True, False], ids=["bags", "no bags"], autouse=True)
def by_bags(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything holds on processors where sums of rows are fast, and on others."""
    monkeypatch.setattr("modelry.inference.answer_step.takes_bags", lambda *_: request.param)
    return bool(request.param)


def model(kind: type[BiasedSeq2SeqLM], **changes: Any) -> Any:
    torch.manual_seed(0)
    made = kind(EncoderDecoderConfig(**{**SIZES, **changes})).eval()
    for name, parameter in made.named_parameters():
        nn.init.normal_(parameter, mean=0.5 * ("norm" in name), std=0.2)
    made.final_logits_bias.normal_()
    return made


def packed(made: Any) -> Any:
    """With 8-bit integers in the decoder."""
    for name, layer in list(made.get_decoder().named_modules()):
        if isinstance(layer, Linear):
            other = Int8Linear(layer.in_features, layer.out_features, bias=layer.bias)
            other._buffers["weight"], other._buffers["weight_scale"] = pack_rows(layer.weight.detach())
            other.bias = layer.bias
            made.get_decoder().set_submodule(name, other)
    return made.eval()


@torch.inference_mode()
def logits(made: Any, *, rows: int, padded: bool, prepared: bool, steps: int = 66) -> Tensor:
    """Of so many steps behind a start of 2 that the cache grows; in their middle rows change places."""
    draws = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 64, (rows, 2 + steps), generator=draws)
    encoded = torch.randn(rows, 9, 32, generator=draws).to(made.dtype)
    mask = (torch.arange(9) < torch.tensor([[9]] * (rows - 1) + [[5]])).long() if padded else None
    parts, cache, found = answer_parts(made), made.make_cache(), []
    assert parts is not None
    step = AnswerStep(parts, rows=rows)

    def forward(new: Tensor) -> Any:
        return made(
            encoder_outputs=BaseModelOutput(encoded), attention_mask=mask, decoder_input_ids=new,
            past_key_values=cache, use_cache=True,
        ).logits  # fmt: skip

    forward(ids[:, :2])
    for place in range(2, 2 + steps):
        new = ids[:, place, None]
        if prepared:
            scores = step(new, torch.tensor([[place]]), mask, cache)
            assert scores is not None
            cache.advance(1)
        else:
            scores = forward(new)
        found.append(scores)
        if place == steps // 2 and rows > 1:
            order = torch.tensor([1, 0, *range(2, rows)])
            cache.keep(order)
            encoded, mask = encoded[order], None if mask is None else mask[order]
    return torch.cat(found, dim=1)


@pytest.mark.parametrize(("rows", "padded"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize(("attention", "fused"), [("sdpa", True), ("sdpa", False), ("eager", True)])
@pytest.mark.parametrize("kind", [BehindForAnswers, BeforeForAnswers])
def test_logits(kind: type[BiasedSeq2SeqLM], attention: str, fused: bool, rows: int, padded: bool) -> None:
    made = model(kind)
    made.set_attn_implementation(attention)
    if fused:
        assert fuse_projections(made) == 5  # with and without a bias of the keys
    found, own = (logits(made, rows=rows, padded=padded, prepared=one) for one in (True, False))
    torch.testing.assert_close(found, own, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("fused", [True, False])
def test_integers(fused: bool, rows: int) -> None:
    made = packed(model(BeforeForAnswers))
    if fused:
        assert fuse_projections(made) == 5
    found, own = (logits(made, rows=rows, padded=False, prepared=one) for one in (True, False))
    torch.testing.assert_close(found, own, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 3])
def test_bfloat16(rows: int) -> None:
    made = model(BeforeForAnswers).to(torch.bfloat16)
    fuse_projections(made)
    found, own = (logits(made, rows=rows, padded=False, prepared=one).float() for one in (True, False))
    assert (found - own).norm() < 0.02 * own.norm()


def test_another_forward_is_left_alone() -> None:
    assert prepared_step(model(Contrary)) is None


@pytest.mark.parametrize("change", ["hook", "training", "part", "states"])
def test_what_is_not_known(change: str) -> None:
    made = model(BeforeForAnswers)
    assert prepared_step(made) is not None
    layer = made.get_decoder().layers[1]
    if change == "hook":
        layer.register_forward_hook(lambda module, inputs, out: out)
    elif change == "training":
        layer.train()
    elif change == "part":
        layer.fc3 = Linear(4, 4)
    else:
        made.config.output_hidden_states = True
    assert prepared_step(made) is None


@torch.inference_mode()
def test_no_step_behind_the_last_position() -> None:
    """The model's own forward says then what is wrong."""
    made = model(BeforeForAnswers, max_position_embeddings=4)
    parts, cache = answer_parts(made), made.make_cache()
    assert parts is not None
    made(torch.tensor([[5, 6]]), decoder_input_ids=torch.tensor([[2, 5, 6, 7]]), past_key_values=cache)
    assert AnswerStep(parts, rows=1)(torch.tensor([[3]]), torch.tensor([[4]]), None, cache) is None


@pytest.mark.parametrize("beams", [1, 3])
def test_texts_are_the_same(beams: int) -> None:
    made = model(BehindForAnswers)
    ids = torch.randint(3, 64, (2, 7), generator=torch.Generator().manual_seed(3))
    mask = torch.tensor([[1] * 7, [0] * 3 + [1] * 4])
    options: dict[str, Any] = {"max_new_tokens": 70, "eos_token_id": None, "num_beams": beams, "attention_mask": mask}
    found = made.generate(ids, **options)
    assert prepared_step(made) is not None
    made.get_decoder().register_forward_hook(lambda module, inputs, out: out)
    assert torch.equal(made.generate(ids, **options), found)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.inference_mode()
def test_rows_that_share_an_output(attention: str) -> None:
    """Beams: three of each text, then all of one text, then some of both."""
    made = model(BeforeForAnswers)
    made.set_attn_implementation(attention)
    parts, cache, draws = answer_parts(made), made.make_cache(), torch.Generator().manual_seed(1)
    assert parts is not None
    encoded, mask = torch.randn(2, 9, 32, generator=draws), torch.tensor([[1] * 9, [1] * 5 + [0] * 4])

    def forward(new: Tensor) -> Tensor:
        out = made(
            encoder_outputs=BaseModelOutput(encoded), attention_mask=mask, decoder_input_ids=new,
            past_key_values=cache, use_cache=True,
        )  # fmt: skip
        logits: Tensor = out.logits
        return logits

    forward(torch.tensor([[2], [2]]))
    assert cache.copies == 1
    for kept, copies in (([0, 0, 0, 1, 1, 1], 3), ([2, 0, 1, 5, 4, 4], 3), ([3, 4, 5, 0, 2], 1), ([1, 0, 0], 3)):
        rows = torch.tensor(kept)
        cache.keep(rows)
        encoded, mask = encoded[rows], mask[rows]
        assert cache.copies == copies
        ids = torch.randint(3, 64, (len(kept), 1), generator=draws)
        found = AnswerStep(parts, rows=len(kept))(ids, torch.tensor([[cache.seen]]), mask, cache)
        torch.testing.assert_close(found, forward(ids), atol=1e-4, rtol=1e-4)
