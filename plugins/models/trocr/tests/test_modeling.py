"""What is special about TrOCR's decoder: what it looks at, positions that are not learned, files of older versions."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry.errors import CheckpointError
from modelry_registry import get_registry
from modelry_trocr import TrOCRConfig, TrOCRForCausalLM

IDS = torch.tensor([[5, 9, 3, 4, 7], [6, 7, 8, 3, 9]])
STATES = torch.randn(2, 6, 20, generator=torch.Generator().manual_seed(0))
SEEN = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])


def tiny(**changes: Any) -> TrOCRForCausalLM:
    torch.manual_seed(0)
    values = {**get_registry().get("models", "trocr").tiny, "init_std": 0.3, **changes}
    return TrOCRForCausalLM(TrOCRConfig(**values)).eval()


@pytest.mark.parametrize("learned", [True, False])
@torch.inference_mode()
def test_single_steps_over_an_encoder_of_another_width(learned: bool) -> None:
    model = tiny(cross_attention_hidden_size=20, use_learned_position_embeddings=learned)
    looks = {"encoder_hidden_states": STATES, "encoder_attention_mask": SEEN}
    whole = model(IDS, **looks).logits
    cache, steps = None, []
    for column in range(IDS.shape[1]):
        out = model(IDS[:, column : column + 1], past_key_values=cache, use_cache=True, **looks)
        cache = out.past_key_values
        steps.append(out.logits)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, atol=1e-5, rtol=0)
    hidden = STATES.masked_fill(SEEN[..., None] == 0, 9.0)
    torch.testing.assert_close(model(IDS, **{**looks, "encoder_hidden_states": hidden}).logits, whole)
    assert not torch.allclose(model(IDS).logits, whole)


@pytest.mark.parametrize("learned", [True, False])
@torch.inference_mode()
def test_left_padding_changes_nothing(learned: bool) -> None:
    model = tiny(use_learned_position_embeddings=learned)
    left = torch.tensor([[1, 1, 5, 9, 3, 4, 7]])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1]])
    torch.testing.assert_close(model(left, attention_mask=mask).logits[:, 2:], model(IDS[:1]).logits)
    alone = model.generate(IDS[:1], max_new_tokens=4, eos_token_id=None)
    padded = model.generate(left, attention_mask=mask, max_new_tokens=4, eos_token_id=None)
    assert padded[0, -4:].tolist() == alone[0, -4:].tolist()


@pytest.mark.parametrize("embedding_norm", [True, False])
def test_computed_positions_in_half_precision(embedding_norm: bool) -> None:
    model = tiny(use_learned_position_embeddings=False, layernorm_embedding=embedding_norm)
    expected = model(IDS).logits
    rounded = model.bfloat16()(IDS).logits
    assert rounded.dtype is torch.bfloat16
    torch.testing.assert_close(rounded.float(), expected, atol=0.3, rtol=0.1)


def test_files_of_older_versions(tmp_path: Path) -> None:
    model = tiny(use_learned_position_embeddings=False)
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert not [name for name in tensors if "embed_positions" in name]
    mark = {"model.decoder.embed_positions._float_tensor": torch.zeros(1)}
    save_file({**tensors, **mark}, tmp_path / "model.safetensors")
    again = TrOCRForCausalLM.from_pretrained(tmp_path)
    assert again(IDS).logits.equal(model(IDS).logits)
    table = {"model.decoder.embed_positions.weight": torch.zeros(66, 24)}
    save_file({**tensors, **table}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"embed_positions\.weight"):
        TrOCRForCausalLM.from_pretrained(tmp_path)


def test_layers_are_skipped_in_training() -> None:
    model = tiny(decoder_layerdrop=1.0).train()
    states = model(IDS, output_hidden_states=True).hidden_states
    assert all(one.equal(states[0]) for one in states)


def test_refusals() -> None:
    model = tiny(max_position_embeddings=8)
    with pytest.raises(ValueError, match="the decoder's text has 9 positions and the model 8"):
        model(torch.full((1, 9), 5))
    with pytest.raises(ValueError, match="give the decoder either ids or embeddings"):
        model()
    with pytest.raises(ValueError, match=r"looks at states of width 24.*\(2, 6, 20\)"):
        model(IDS, encoder_hidden_states=STATES)
