"""A generation says the same whatever cache it has, and whether its prompt is read at once or in chunks."""

from types import SimpleNamespace

import pytest
import torch

from modelry.cache import GrowingLayerCache, OffloadedLayerCache, QuantizedLayerCache, StaticLayerCache
from modelry.errors import GenerationError, ModelryWarning
from modelry.generation import GenerationConfig, caching
from modelry.generation.caching import chunk_of
from modelry.generation.prompt import Prompt
from modelry_testing.toys.configuration import ToyConfig
from modelry_testing.toys.modeling import ToyForCausalLM

PROMPTS = torch.tensor([[0, 0, 0, 11, 12], [21, 22, 23, 24, 25]])
MASK = (PROMPTS != 0).long()
KINDS = {
    "dynamic": GrowingLayerCache,
    "dynamic_full": GrowingLayerCache,
    "full": GrowingLayerCache,
    "hybrid": GrowingLayerCache,
    "sliding_window": GrowingLayerCache,
    "static": StaticLayerCache,
    "quantized": QuantizedLayerCache,
    "offloaded": OffloadedLayerCache,
    "offloaded_static": OffloadedLayerCache,
}


@pytest.fixture(scope="module")
def model():
    """Random, and sure enough of what it says that no two logits are close."""
    torch.manual_seed(0)
    made = ToyForCausalLM(ToyConfig(vocab_size=64)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 0.5)
    return made


@pytest.fixture
def passes(model):
    """(rows, new positions, positions with logits) of each forward pass of the model."""
    found = []

    def note(module, arguments, named, output):
        read = named["input_ids"] if named.get("inputs_embeds") is None else named["inputs_embeds"]
        found.append((*read.shape[:2], output.logits.shape[1]))

    hook = model.register_forward_hook(note, with_kwargs=True)
    yield found
    hook.remove()


def run(model, ids=PROMPTS, **options):
    if ids is PROMPTS:
        options = {"attention_mask": MASK, **options}
    return model.generate(ids, **{"max_new_tokens": 12, "eos_token_id": None, "pad_token_id": 0, **options})


@pytest.mark.parametrize("name", KINDS)
def test_every_cache_says_the_same(model, name):
    expected = run(model)
    assert torch.equal(run(model, cache=name), expected)
    found = run(model, cache_implementation=name, return_dict_in_generate=True)
    assert torch.equal(found.sequences, expected)
    assert {type(layer) for layer in found.past_key_values} == {KINDS[name]}


def test_a_configuration_names_the_cache(model):
    config = GenerationConfig(cache_implementation="quantized", cache_config={"residual_length": 2, "nbits": 8})
    found = run(model, generation_config=config, return_dict_in_generate=True)
    assert [layer.newest for layer in found.past_key_values] == [2, 2]
    found = run(model, generation_config=config, cache="full", cache_config=None, return_dict_in_generate=True)
    assert isinstance(found.past_key_values.layers[0], GrowingLayerCache)


def test_a_static_cache_has_room_for_the_answer(model):
    def capacity(**options):
        found = run(model, cache="static", return_dict_in_generate=True, **options)
        return found.past_key_values.layers[0].capacity

    assert capacity() == 64
    assert capacity(max_new_tokens=60) == 96
    assert capacity(max_cache_len=17) == 17
    assert capacity(cache_config={"max_cache_len": 70}) == 70


@pytest.mark.parametrize("kind", ["static", "quantized", "offloaded"])
def test_a_second_turn_goes_on_from_the_cache(model, kind):
    first = run(model, cache=kind, return_dict_in_generate=True)
    text = torch.cat((first.sequences, torch.tensor([[5, 6], [7, 8]])), 1)
    mask = (torch.arange(text.shape[1]) >= torch.tensor([[3], [0]])).long()
    found = run(model, text, attention_mask=mask, past_key_values=first.past_key_values)
    assert torch.equal(found, run(model, text, attention_mask=mask))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache": "elastic"}, "no cache is called 'elastic'; there are 'dynamic', .*'quantized'.*'static'"),
        ({"cache": "static", "max_cache_len": 16}, "max_cache_len=16 has no room for the 17 positions"),
        ({"cache": "static", "max_cache_len": 0}, "max_cache_len=0"),
        ({"cache": "static", "max_cache_len": 20, "cache_config": {"max_cache_len": 30}}, "say two things"),
        ({"cache": "static", "cache_config": {"max_cache_len": "20"}}, "'20' is not a whole number"),
        ({"cache": "static", "cache_config": {"nbits": 8}}, "the cache 'static' has no option 'nbits'"),
        ({"cache": "quantized", "cache_config": {"nbits": 4}}, "nbits=4: a quantized cache keeps 8 bits"),
        ({"cache": "quantized", "cache_config": {"backend": "quanto"}}, "no option 'backend'"),
        ({"cache": "quantized", "cache_config": {"residual_length": -1}}, "cannot be negative"),
        ({"cache": "static", "cache_implementation": "dynamic"}, "say two things: leave one out"),
        ({"cache": 3}, "cache=int is no name of a kind.*past_key_values"),
        ({"prefill_chunk_size": 0}, "prefill_chunk_size=0"),
    ],
)
def test_bad_input_is_refused_before_work(model, passes, options, message):
    with pytest.raises(GenerationError, match=message):
        run(model, **options)
    assert not passes


def test_room_that_no_cache_has_is_named(model):
    with pytest.warns(ModelryWarning, match="max_cache_len=40 acts only with cache='static', and this cache is 'dynam"):
        run(model, max_cache_len=40)


@pytest.mark.parametrize("kind", ["dynamic", "static", "offloaded", "quantized"])
def test_long_prompts_are_read_in_chunks(model, passes, monkeypatch, kind):
    monkeypatch.setattr(caching, "CHUNK", 16)
    ids = torch.randint(1, 64, (1, 37), generator=torch.Generator().manual_seed(1))
    options = {"max_new_tokens": 3, "output_logits": True, "return_dict_in_generate": True}
    found = run(model, ids, cache=kind, **options)
    assert passes[:4] == [(1, 16, 1), (1, 16, 1), (1, 5, 1), (1, 1, 1)]
    passes.clear()
    whole = run(model, ids, prefill_chunk_size=37, **options)
    assert passes[0] == (1, 37, 1)
    assert torch.equal(found.sequences, whole.sequences)
    tolerance = 0.2 if kind == "quantized" else 1e-4
    torch.testing.assert_close(found.logits, whole.logits, rtol=tolerance, atol=tolerance)


def test_chunks_of_padded_and_of_remembered_prompts(model, passes):
    expected = run(model)
    assert torch.equal(run(model, prefill_chunk_size=2), expected)
    first = run(model, PROMPTS[1:], max_new_tokens=4, return_dict_in_generate=True)
    ids = torch.cat((first.sequences, torch.arange(1, 20)[None]), 1)
    expected = run(model, ids)
    passes.clear()
    found = run(model, ids, past_key_values=first.past_key_values, prefill_chunk_size=7)
    assert passes[:4] == [(1, 7, 1), (1, 7, 1), (1, 6, 1), (1, 1, 1)]
    assert torch.equal(found, expected)


def test_chunks_of_embedded_prompts(model, passes):
    expected = run(model)[:, PROMPTS.shape[1] :]
    passes.clear()
    embeds = model.get_input_embeddings()(PROMPTS).detach()
    found = run(model, None, inputs_embeds=embeds, attention_mask=MASK, prefill_chunk_size=2)
    assert passes[:4] == [(2, 2, 1), (2, 2, 1), (2, 1, 1), (2, 1, 1)]
    assert torch.equal(found, expected)


def test_without_a_cache_nothing_is_divided(model, passes):
    run(model, PROMPTS[1:], use_cache=False, prefill_chunk_size=2, max_new_tokens=1)
    assert passes == [(1, 5, 1)]


def test_who_is_not_divided(model):
    ids, config = torch.ones(1, caching.CHUNK + 1, dtype=torch.long), GenerationConfig()
    stretched = SimpleNamespace(rope_parameters=SimpleNamespace(rope_type="dynamic"))
    stretched.get_text_config = lambda: stretched
    assert chunk_of(model, Prompt(ids, None), config) == caching.CHUNK
    assert chunk_of(model, Prompt(ids[:, 1:], None), config) is None
    assert chunk_of(model, Prompt(ids, None, {"pixel_values": ids}), config) is None
    assert chunk_of(SimpleNamespace(config=stretched), Prompt(ids, None), config) is None
    assert chunk_of(model, Prompt(ids, None), GenerationConfig(prefill_chunk_size=5)) == 5
    with pytest.warns(ModelryWarning, match="prefill_chunk_size=5 has no effect beside pixel_values"):
        assert chunk_of(model, Prompt(ids, None, {"pixel_values": ids}), GenerationConfig(prefill_chunk_size=5)) is None
