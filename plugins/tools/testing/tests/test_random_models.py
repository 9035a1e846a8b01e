"""Random models are the same for a seed, have no zeros that hide mistakes, and are what another implementation has."""

from pathlib import Path

import torch

from modelry import AutoModelForCausalLM
from modelry_testing.edits import edit_config, edit_tensors, read_tensors
from modelry_testing.random_models import SMALL, random_model, save_random, twins


def test_a_seed_is_a_model(tmp_path: Path) -> None:
    folder = save_random(tmp_path, "llama", seed=3, attention_bias=True)
    model = AutoModelForCausalLM.from_pretrained(folder)
    again = random_model("llama", seed=3, **{**SMALL, "attention_bias": True})
    state = model.state_dict()
    assert all(torch.equal(one, state[name]) for name, one in again.state_dict().items())
    assert model.model.layers[0].self_attn.q_proj.bias.abs().min() > 0


def test_twins() -> None:
    ours, theirs = twins("llama", "transformers:LlamaForCausalLM", seed=1)
    ids = torch.tensor([[3, 4, 2]])
    with torch.no_grad():
        assert torch.allclose(ours(input_ids=ids).logits, theirs(input_ids=ids).logits, atol=1e-5)


def test_edits(tmp_path: Path) -> None:
    save_random(tmp_path, "llama")
    edit_config(tmp_path, vocab_size=7)
    edit_tensors(tmp_path, **{"model.norm.weight": None, "lm_head.weight": torch.zeros(2)})
    left = read_tensors(tmp_path)
    assert "model.norm.weight" not in left
    assert left["lm_head.weight"].shape == (2,)
    assert '"vocab_size": 7' in (tmp_path / "config.json").read_text()
