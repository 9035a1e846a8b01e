"""What cannot be is refused before the model runs, with a way out; the model is not asked once."""

import copy
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import LogitsProcessor, TextStreamer

IDS = torch.tensor([[1, 2, 3, 4]])


@contextmanager
def refused(model, match):
    def ran(*_):
        raise AssertionError("the model ran")

    handle = model.register_forward_pre_hook(ran)
    try:
        with pytest.raises(GenerationError, match=match):
            yield
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "in one way, and this call names none"),
        ({"prompt_lookup_num_tokens": 3, "assistant_early_exit": 1}, "prompt_lookup_num_tokens and assistant_early"),
        ({"prompt_lookup_num_tokens": 0}, "prompt_lookup_num_tokens"),
        ({"prompt_lookup_num_tokens": 3, "max_matching_ngram_size": 0}, "max_matching_ngram_size"),
        ({"prompt_lookup_num_tokens": 3, "num_assistant_tokens": -1}, "num_assistant_tokens"),
        ({"assistant_early_exit": 1, "num_assistant_tokens": 0}, "num_assistant_tokens"),
        ({"assistant_early_exit": 1, "assistant_confidence_threshold": 1.5}, "assistant_confidence_threshold"),
        ({"assistant_early_exit": 1, "num_assistant_tokens_schedule": "often"}, "num_assistant_tokens_schedule"),
        ({"assistant_early_exit": 3}, "the model has 3, so at most 2"),
        ({"assistant_early_exit": 0}, "assistant_early_exit"),
        ({"prompt_lookup_num_tokens": 3, "guidance_scale": 1.5}, "guidance_scale"),
        ({"use_mtp": True}, "use_mtp"),
        ({"prompt_lookup_num_tokens": 3, "speculation_type": "dflash"}, "speculation_type='dflash' is not offered"),
        ({"assistant_early_exit": 1, "assistant_ensemble_weight": 0.5}, "assistant_ensemble_weight=0.5 accepts drafts"),
        (
            {"prompt_lookup_num_tokens": 3, "output_hidden_states": True, "return_dict_in_generate": True},
            "output_hidden_states: a pass",
        ),
    ],
)
def test_impossible_options(llama, options, match):
    with refused(llama(0), match):
        llama(0).generate(IDS, strategy="speculative", max_new_tokens=4, **options)
    assert llama(0).generate(IDS, max_new_tokens=2).shape == (1, 6)


def test_a_draft_of_another_vocabulary_without_tokenizers(llama):
    other = llama(0, vocabulary=30)
    with refused(llama(0), "vocabulary of 30 tokens, and the model one of 24.*tokenizer=..., assistant_tokenizer=..."):
        llama(0).generate(IDS, assistant_model=other)
    with refused(llama(0), "assistant_tokenizer needs the model's own"):
        llama(0).generate(IDS, assistant_model=other, assistant_tokenizer=SimpleNamespace())


def test_a_draft_model_that_reads_another_input(llama):
    other = copy.copy(llama(1))
    other.config = other.config.model_copy(update={"is_encoder_decoder": True})
    with refused(llama(0), "encoder-decoder model, and LlamaForCausalLM is none"):
        llama(0).generate(IDS, assistant_model=other)


@pytest.mark.parametrize("other", ["a/name", torch.nn.Linear(2, 2)])
def test_a_draft_model_that_is_none(llama, other):
    with refused(llama(0), r"assistant_model is a (str|Linear), which does not score next tokens"):
        llama(0).generate(IDS, assistant_model=other)
    stranger = type("Stranger", (torch.nn.Module,), {"can_generate": lambda self: True, "__module__": "elsewhere"})()
    with refused(llama(0), "assistant_model is a Stranger of elsewhere, another package"):
        llama(0).generate(IDS, assistant_model=stranger)
    with refused(llama(0), "a LlamaModel, which does not score"):
        llama(0).generate(IDS, assistant_model=llama(0, 0.1).model)


def test_caches_that_cannot_forget(llama):
    cache = llama(0).make_cache()
    cache.layers[0].can_rollback = False
    with refused(llama(0), "cannot forget a rejected draft"):
        llama(0).generate(IDS, past_key_values=cache, prompt_lookup_num_tokens=2)
    other = copy.copy(llama(1))
    other.__dict__["make_cache"] = lambda: cache
    with refused(llama(0), "cannot forget a rejected draft: take another draft model"):
        llama(0).generate(IDS, assistant_model=other)


def test_several_rows_cannot_be_streamed(llama):
    streamer = TextStreamer(SimpleNamespace(decode=lambda ids, **_: ""))
    with refused(llama(0), "cannot be streamed together"):
        llama(0).generate(IDS.expand(2, -1), prompt_lookup_num_tokens=2, streamer=streamer)
    with refused(llama(0), "cannot be streamed together"):
        llama(0).generate(
            IDS, prompt_lookup_num_tokens=2, do_sample=True, num_return_sequences=2, streamer=streamer
        )  # fmt: skip


def test_embedded_prompts_are_looked_up_but_not_drafted_for(llama):
    model = llama(0)
    embedded = model.get_input_embeddings()(IDS).detach()
    with refused(model, "assistant_model: the prompt is embeddings"):
        model.generate(inputs_embeds=embedded, assistant_model=llama(0, 0.1), max_new_tokens=5)
    plain = model.generate(inputs_embeds=embedded, max_new_tokens=12)
    assert model.generate(inputs_embeds=embedded, max_new_tokens=12, prompt_lookup_num_tokens=3).tolist() == (
        plain.tolist()
    )


def test_processors_that_remember_what_they_were_shown(llama):
    class Counting(LogitsProcessor):
        remembers = True

        def __call__(self, input_ids, scores):
            return scores

    with refused(llama(0), "Counting remembers what it was shown"):
        llama(0).generate(IDS, prompt_lookup_num_tokens=2, logits_processor=Counting())
