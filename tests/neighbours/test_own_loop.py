"""A generation loop that is not ours, on prepare_inputs_for_generation: the same tokens as generate."""

import pytest
import torch

from modelry import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

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


def test_of_an_encoder_decoder() -> None:
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4, "vocab_size": 96}
    t5 = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **sizes, decoder_start_token_id=0)).eval()
    ids = torch.tensor([[5, 1, 5, 9], [3, 7, 3, 2]])
    expected = t5.generate(ids, max_new_tokens=5, do_sample=False, eos_token_id=None)
    encoded, cache = t5.get_encoder()(input_ids=ids), t5.make_cache()
    said = torch.zeros(2, 1, dtype=torch.long)
    for _ in range(5):
        inputs = t5.prepare_inputs_for_generation(said, past_key_values=cache, encoder_outputs=encoded)
        with torch.no_grad():
            said = torch.cat([said, t5(**inputs).logits[:, -1:].argmax(-1)], 1)
    assert torch.equal(said, expected)
