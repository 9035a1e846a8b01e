"""What is special about running a Llama: caches, recomputed layers, compiled graphs, dtypes, the meta device."""

from typing import Any

import pytest
import torch
from torch import nn

from modelry.nn.fuse import fuse_projections
from modelry_llama import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, LlamaModel
from modelry_registry import get_registry


def tiny(**changes: Any) -> LlamaConfig:
    return LlamaConfig(**{**get_registry().get("models", "llama").tiny, "initializer_range": 0.2, **changes})


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, 128, (rows, length), generator=torch.Generator().manual_seed(0))


def test_tiny_is_tiny() -> None:
    model = LlamaForCausalLM(tiny())
    assert sum(parameter.numel() * parameter.element_size() for parameter in model.parameters()) < 1_000_000


@pytest.mark.parametrize("fused", [False, True])
def test_rollback_and_keep(fused: bool) -> None:
    model = LlamaForCausalLM(tiny()).eval()
    if fused:
        fuse_projections(model)
    tokens = ids(2, 12)
    with torch.inference_mode():
        full = model(tokens[[1, 0, 1]]).logits
        cache = model(tokens[:, :10], use_cache=True).past_key_values
        cache.rollback(4)
        cache.keep(torch.tensor([1, 0, 1]))
        out = model(tokens[[1, 0, 1], 6:], past_key_values=cache)
    torch.testing.assert_close(out.logits, full[:, 6:], atol=1e-5, rtol=0)
    assert out.past_key_values is cache
    assert cache.seen == 12


def test_a_failed_pass_leaves_the_cache_as_it_was() -> None:
    model = LlamaForCausalLM(tiny()).eval()
    tokens = ids(1, 8)
    with torch.inference_mode():
        full = model(tokens).logits
        cache = model(tokens[:, :5], use_cache=True).past_key_values
        with pytest.raises(IndexError):
            model(torch.tensor([[99999]]), past_key_values=cache)
        handle = model.model.layers[1].mlp.register_forward_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model(tokens[:, :3], past_key_values=cache)
        handle.remove()
        out = model(tokens[:, 5:], past_key_values=cache)
    torch.testing.assert_close(out.logits, full[:, 5:], atol=1e-5, rtol=0)


def test_when_a_cache_is_made() -> None:
    model = LlamaForCausalLM(tiny()).eval()
    assert model(ids(1, 3)).past_key_values is not None
    assert model(ids(1, 3), use_cache=False).past_key_values is None
    assert LlamaForCausalLM(tiny(use_cache=False)).eval()(ids(1, 3)).past_key_values is None
    assert model.train()(ids(1, 3)).past_key_values is None
    assert model(ids(1, 3), use_cache=True).past_key_values is not None


def test_gradients_through_a_cache() -> None:
    model = LlamaForCausalLM(tiny()).train()
    tokens = ids(1, 8)
    model(tokens).logits[:, 5:].square().sum().backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    cache = model(tokens[:, :5], use_cache=True).past_key_values
    parts = [model(tokens[:, place : place + 1], past_key_values=cache).logits for place in (5, 6, 7)]
    sum(part.square().sum() for part in parts).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-4, rtol=1e-3)


def test_recomputed_layers_give_the_same_gradients() -> None:
    model = LlamaForCausalLM(tiny(attention_dropout=0.3)).train()
    found = []
    for recompute in (False, True):
        if recompute:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        torch.manual_seed(0)
        model(ids(2, 6), labels=ids(2, 6)).loss.backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_attention_dropout_is_for_training() -> None:
    model = LlamaModel(tiny(attention_dropout=0.5)).eval()
    with torch.no_grad():
        assert torch.equal(model(ids(1, 9)).last_hidden_state, model(ids(1, 9)).last_hidden_state)
        model.train()
        assert not torch.equal(model(ids(1, 9)).last_hidden_state, model(ids(1, 9)).last_hidden_state)


@pytest.mark.parametrize("fused", [False, True])
def test_bfloat16_is_near_float32(fused: bool) -> None:
    model = LlamaForCausalLM(tiny(initializer_range=0.05)).eval()
    tokens = ids(1, 20)
    with torch.inference_mode():
        exact = model(tokens).logits
    model.bfloat16()
    assert model.model.rotary_emb.inv_freq.dtype is torch.float32
    if fused:
        fuse_projections(model)
    with torch.inference_mode():
        out = model(tokens[:, :12])
        parts = [out.logits] + [
            model(tokens[:, place : place + 1], past_key_values=out.past_key_values).logits for place in range(12, 20)
        ]
    found = torch.cat(parts, 1)
    assert found.dtype is torch.bfloat16
    assert (found.float() - exact).abs().max() < 0.03 * exact.abs().max()


def test_built_on_the_meta_device() -> None:
    reference = LlamaForCausalLM(tiny()).eval()
    with torch.device("meta"):
        model = LlamaForCausalLM(tiny()).eval()
    model.load_state_dict(reference.state_dict(), assign=True)
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    with torch.no_grad():
        assert torch.equal(model(ids(1, 9)).logits, reference(ids(1, 9)).logits)


def test_outputs_as_a_tuple() -> None:
    """As adapters and older training loops ask for them."""
    model, given = LlamaForCausalLM.from_config(tiny()).eval(), ids(2, 5)
    record, bare = model(given, labels=given, return_dict=True), model(given, labels=given, return_dict=False)
    assert type(bare) is tuple
    assert len(bare) == len(record)
    assert torch.equal(bare[1], record.logits)


def test_tied_weights_are_one() -> None:
    model = LlamaForCausalLM(tiny(tie_word_embeddings=True))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    loose = LlamaForCausalLM(tiny())
    assert loose.lm_head.weight is not loose.model.embed_tokens.weight


def test_refusals() -> None:
    model = LlamaForCausalLM(tiny()).eval()
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        model()
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        model(ids(1, 3), inputs_embeds=torch.zeros(1, 3, 32))
    with pytest.raises(ValueError, match="attention_mask has shape"):
        model(ids(1, 3), attention_mask=torch.ones(1, 4))
    with pytest.raises(ValueError, match="set_attn_implementation"):
        model(ids(1, 3), output_attentions=True)
    with pytest.raises(ValueError, match="holds 1 rows and the input has 2"):
        model(ids(2, 1), past_key_values=model(ids(1, 3)).past_key_values)
    with pytest.raises(TypeError, match="unheard_of"):
        model(ids(1, 3), unheard_of=1)
    classifier = LlamaForSequenceClassification(tiny(pad_token_id=None)).eval()
    with pytest.raises(ValueError, match=r"set config\.pad_token_id"):
        classifier(ids(2, 3))
    assert classifier(ids(2, 3), attention_mask=torch.ones(2, 3)).logits.shape == (2, 2)
    assert classifier(ids(1, 3)).logits.shape == (1, 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_forward() -> None:
    model = LlamaForCausalLM(tiny(num_hidden_layers=1)).eval()
    tokens = ids(1, 9)
    compiled: nn.Module = torch.compile(model, backend="aot_eager")
    with torch.no_grad():
        expected = model(tokens)
        out = compiled(tokens)
        torch.testing.assert_close(out.logits, expected.logits, atol=1e-5, rtol=0)
        for token in (3, 4, 5):
            step = torch.tensor([[token]])
            found = compiled(step, past_key_values=out.past_key_values).logits
            torch.testing.assert_close(
                found, model(step, past_key_values=expected.past_key_values).logits, atol=1e-5, rtol=0
            )
