"""What is special about running BART: beams, the encoder's part of the cache, other people's checkpoints."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from modelry.errors import ModelryWarning
from modelry_bart import (
    BartConfig,
    BartForCausalLM,
    BartForConditionalGeneration,
    BartForSequenceClassification,
    BartModel,
)
from modelry_registry import get_registry

IDS = torch.tensor([[5, 9, 3, 4, 2], [6, 7, 2, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def tiny(**changes: Any) -> BartConfig:
    return BartConfig(**{**get_registry().get("models", "bart").tiny, "init_std": 0.3, **changes})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Their random model and ours of the same files."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bart")
    values = {**get_registry().get("models", "bart").tiny, "init_std": 0.3, "forced_eos_token_id": 2}
    theirs = transformers.BartForConditionalGeneration(transformers.BartConfig(**values)).eval()
    theirs.final_logits_bias.normal_()
    theirs.save_pretrained(folder)
    return BartForConditionalGeneration.from_pretrained(folder), theirs, folder


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 3},
        {"num_beams": 4, "num_return_sequences": 2, "no_repeat_ngram_size": 2, "early_stopping": True},
        {"num_beams": 2, "length_penalty": 2.0, "forced_bos_token_id": 11, "min_new_tokens": 4},
    ],
)
def test_beams_are_theirs(pair: Any, options: dict[str, Any], use_cache: bool) -> None:
    ours, theirs, _ = pair
    wanted = {"attention_mask": MASK, "max_new_tokens": 9, "use_cache": use_cache, **options}
    assert ours.generate(IDS, **wanted).tolist() == theirs.generate(IDS, **wanted).tolist()


def test_the_encoder_is_read_once(pair: Any) -> None:
    ours, _, _ = pair
    calls = []
    parts = [layer.encoder_attn.k_proj for layer in ours.model.decoder.layers]
    handles = [part.register_forward_hook(lambda *_: calls.append(1)) for part in (*parts, ours.model.encoder)]
    ours.generate(IDS, attention_mask=MASK, num_beams=3, max_new_tokens=6)
    for handle in handles:
        handle.remove()
    assert len(calls) == len(parts) + 1


def test_left_padding_changes_nothing(pair: Any) -> None:
    """Unlike theirs, whose positions count through padding."""
    ours, _, _ = pair
    alone = ours.generate(IDS[1:, :3], max_new_tokens=6)
    left = torch.tensor([[1, 1, 6, 7, 2]])
    assert torch.equal(ours.generate(left, attention_mask=torch.tensor([[0, 0, 1, 1, 1]]), max_new_tokens=6), alone)


def test_the_decoder_is_read_from_a_whole_checkpoint(pair: Any, tmp_path: Path) -> None:
    ours, _, folder = pair
    decoder = BartForCausalLM.from_pretrained(folder)
    assert torch.equal(decoder.lm_head.weight, ours.lm_head.weight)
    assert not decoder.config.is_encoder_decoder
    states = ours.model.encoder(IDS, attention_mask=MASK)[0]
    start = torch.tensor([[2, 8], [2, 9]])
    whole = ours(IDS, attention_mask=MASK, decoder_input_ids=start).logits - ours.final_logits_bias
    alone = decoder(start, encoder_hidden_states=states, encoder_attention_mask=MASK).logits
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=0)
    decoder.save_pretrained(tmp_path)
    assert BartForCausalLM.from_pretrained(tmp_path).generate(torch.tensor([[5, 6]]), max_new_tokens=3).shape == (1, 5)


def test_a_checkpoint_that_keeps_the_embedding_under_another_name(pair: Any, tmp_path: Path) -> None:
    ours, _, folder = pair
    tensors = load_file(folder / "model.safetensors")
    tensors["model.decoder.embed_tokens.weight"] = tensors.pop("model.shared.weight")
    save_file(tensors, tmp_path / "model.safetensors")
    ours.config.save_pretrained(tmp_path)
    found = BartForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(found.model.encoder.embed_tokens.weight, ours.model.shared.weight)


def test_a_larger_vocabulary(pair: Any) -> None:
    model = BartForConditionalGeneration.from_pretrained(pair[2])
    model.resize_token_embeddings(100)
    out = model(IDS, decoder_input_ids=torch.tensor([[99], [98]]))
    assert out.logits.shape == (2, 1, 100)
    assert model.final_logits_bias.shape == (1, 100)
    assert model.config.vocab_size == 100


def test_layers_are_skipped_in_training() -> None:
    model = BartModel(tiny(encoder_layerdrop=1.0, decoder_layerdrop=1.0)).train()
    states = model(IDS, output_hidden_states=True, use_cache=False)
    assert all(torch.equal(one, states.encoder_hidden_states[0]) for one in states.encoder_hidden_states)
    model.eval()
    states = model(IDS, output_hidden_states=True)
    assert not torch.equal(states.encoder_hidden_states[0], states.encoder_hidden_states[1])


def test_refusals() -> None:
    model = BartForConditionalGeneration(tiny(max_position_embeddings=8)).eval()
    with pytest.raises(ValueError, match="the input has 9 positions and the model 8"):
        model(torch.full((1, 9), 5))
    with pytest.raises(ValueError, match="the decoder's text has 9 positions"):
        model(IDS, decoder_input_ids=torch.full((2, 9), 5))
    with pytest.raises(ValueError, match="nothing to read"):
        model(inputs_embeds=torch.zeros(1, 3, 24))
    with pytest.raises(ValueError, match="either ids or embeddings"):
        model(decoder_input_ids=IDS)
    with pytest.raises(ValueError, match="labels have shape"):
        model(IDS, decoder_input_ids=IDS, labels=IDS[:, :2])
    with pytest.raises(ValueError, match=r"must be \(rows, 5\)"):
        model(IDS, attention_mask=torch.ones(2, 4))
    with pytest.raises(ValueError, match="decoder_start_token_id is None"):
        BartForConditionalGeneration(tiny(decoder_start_token_id=None))(IDS, labels=IDS)
    with pytest.warns(ModelryWarning, match="beyond the 8 positions"):
        assert model.generate(IDS, max_new_tokens=20, eos_token_id=None).shape[1] == 8


def test_labels_need_the_end_token() -> None:
    classifier = BartForSequenceClassification(tiny()).eval()
    with pytest.raises(ValueError, match=r"end token 2 \[1, 0\] times"):
        classifier(torch.tensor([[5, 2], [5, 6]]))
    with pytest.raises(ValueError, match="give input_ids"):
        classifier(inputs_embeds=torch.zeros(1, 2, 24))
    assert not classifier.can_generate()
