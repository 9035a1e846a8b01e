"""What is special about running a Mixtral: files of both layouts, routers, one graph."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry.errors import CheckpointError
from modelry_mixtral import MixtralConfig, MixtralForCausalLM
from modelry_registry import get_registry


def tiny(**changes: Any) -> MixtralForCausalLM:
    torch.manual_seed(0)
    values = {**get_registry().get("models", "mixtral").tiny, "initializer_range": 0.2, **changes}
    return MixtralForCausalLM(MixtralConfig(**values)).eval()


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, 128, (rows, length), generator=torch.Generator().manual_seed(0))


def test_stacked_files(tmp_path: Path) -> None:
    """Gates and ups of all experts in one tensor, as later files have them; read, and written expert by expert."""
    model = tiny()
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert stored["model.layers.1.block_sparse_moe.experts.3.w2.weight"].shape == (32, 48)
    kept = {name: tensor for name, tensor in stored.items() if "block_sparse_moe" not in name}
    for number, layer in enumerate(model.model.layers):
        experts, place = layer.mlp.experts, f"model.layers.{number}.mlp"
        both = torch.cat((experts.gate_proj.detach(), experts.up_proj.detach()), dim=1)
        kept |= {f"{place}.gate.weight": layer.mlp.gate.weight.detach(), f"{place}.experts.gate_up_proj": both}
        kept |= {f"{place}.experts.down_proj": experts.down_proj.detach()}
    save_file(kept, tmp_path / "model.safetensors")
    again = MixtralForCausalLM.from_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    again.save_pretrained(tmp_path / "again")
    assert load_file(tmp_path / "again" / "model.safetensors").keys() == stored.keys()


def test_a_missing_expert_is_named(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    del stored["model.layers.0.block_sparse_moe.experts.1.w3.weight"]
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"layers\.0\.block_sparse_moe\.experts\.1\.w3\.weight"):
        MixtralForCausalLM.from_pretrained(tmp_path)


@torch.no_grad()
def test_router_logits() -> None:
    model = tiny()
    out = model(ids(2, 5), labels=ids(2, 5), output_router_logits=True)
    assert [tuple(one.shape) for one in out.router_logits] == [(10, 4)] * 2
    plain = model(ids(2, 5), labels=ids(2, 5))
    assert plain.router_logits is None
    assert plain.aux_loss is None
    torch.testing.assert_close(out.loss, plain.loss + 0.001 * out.aux_loss)
    cache = model(ids(2, 5), use_cache=True).past_key_values
    later = model(ids(2, 1), past_key_values=cache, attention_mask=torch.ones(2, 6), output_router_logits=True)
    assert later.router_logits[0].shape == (2, 4)


def test_jitter_is_for_training() -> None:
    model = tiny(router_jitter_noise=0.5)
    with torch.no_grad():
        assert torch.equal(model(ids(1, 9)).logits, model(ids(1, 9)).logits)
        model.train()
        assert not torch.equal(model(ids(1, 9)).logits, model(ids(1, 9)).logits)


def test_an_embedded_prompt_is_continued() -> None:
    """The head hands `inputs_embeds` on to the one it is made from."""
    model, prompt = tiny(), ids(2, 5)
    embedded = model.get_input_embeddings()(prompt)
    found = model.generate(inputs_embeds=embedded, max_new_tokens=4, eos_token_id=None)
    assert found.tolist() == model.generate(prompt, max_new_tokens=4, eos_token_id=None)[:, 5:].tolist()
