"""A generation loop that is not ours, on prepare_inputs_for_generation: the same tokens as generate."""

import pytest
import torch

from modelry import AutoConfig, AutoModelForCausalLM

SIZES = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
}


@pytest.mark.parametrize("embedded", [False, True])
def test_greedy(embedded: bool) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **SIZES)).eval()
    ids = torch.tensor([[0, 1, 5, 9], [3, 7, 3, 2]])
    mask = torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])
    expected = model.generate(ids, attention_mask=mask, max_new_tokens=5, do_sample=False, eos_token_id=None)
    embeddings = model.get_input_embeddings()(ids) if embedded else None
    cache = model.make_cache()
    for _ in range(5):
        inputs = model.prepare_inputs_for_generation(
            ids, past_key_values=cache, attention_mask=mask, inputs_embeds=embeddings
        )
        with torch.no_grad():
            ids = torch.cat([ids, model(**inputs).logits[:, -1:].argmax(-1)], 1)
        mask = torch.cat([mask, torch.ones(2, 1, dtype=mask.dtype)], 1)
    assert torch.equal(ids, expected)
