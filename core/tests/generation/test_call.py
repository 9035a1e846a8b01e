"""generate() from prompt to result: equal to whole forward passes, whatever is asked for beside."""

import subprocess
import sys

import pytest
import torch

from modelry.errors import GenerationError, ModelryWarning
from modelry.generation import BaseStreamer, GenerateOutput, GenerationConfig, LogitsProcessor, generate
from modelry_registry import HookSet, Registry, get_registry, hookimpl, use_registry

pytestmark = pytest.mark.usefixtures("plain_strategy")

PROMPT = torch.tensor([[3, 4, 5]])
PROMPTS = torch.tensor([[0, 0, 3, 4, 5], [7, 8, 9, 10, 11]])
MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])


def run(model, *inputs, **options):
    return generate(model, *inputs, strategy="toy-strategy", **options)


def greedy(toy, prompt, count):
    return toy.greedy(prompt, count)


def test_greedy_equals_whole_passes(toy):
    assert run(toy, PROMPT, max_new_tokens=12).tolist() == [greedy(toy, [3, 4, 5], 12)]
    assert run(toy, PROMPT).shape == (1, 23)


def test_left_padding_changes_nothing(toy):
    found = run(toy, PROMPTS, attention_mask=MASK, max_new_tokens=9)
    assert found[0, 2:].tolist() == greedy(toy, [3, 4, 5], 9)
    assert found[1].tolist() == greedy(toy, [7, 8, 9, 10, 11], 9)


def test_pad_tokens_before_a_prompt_are_its_padding(make_toy):
    toy = make_toy(pad_token_id=0)
    assert run(toy, PROMPTS, max_new_tokens=9)[0, 2:].tolist() == greedy(toy, [3, 4, 5], 9)
    same = make_toy(pad_token_id=0, eos_token_id=0)
    assert torch.equal(
        run(same, PROMPTS, max_new_tokens=3), run(same, PROMPTS, max_new_tokens=3, attention_mask=torch.ones(2, 5))
    )


@pytest.mark.parametrize(
    "inputs",
    [
        {"inputs": [3, 4, 5]},
        {"inputs": [[3, 4, 5]]},
        {"input_ids": PROMPT.int()},
        {"inputs": {"input_ids": [[3, 4, 5]], "attention_mask": [[1, 1, 1]]}},
    ],
)
def test_a_prompt_may_come_as(toy, inputs):
    inputs = dict(inputs)
    found = run(toy, inputs.pop("inputs", None), **inputs, max_new_tokens=4)
    assert found.tolist() == [greedy(toy, [3, 4, 5], 4)]


def test_no_prompt_starts_from_the_start_token(make_toy):
    toy = make_toy(bos_token_id=6)
    assert run(toy, max_new_tokens=4).tolist() == [greedy(toy, [6], 4)]


def test_embeddings_are_a_prompt(toy):
    embeds = toy.tokens(PROMPT).detach()
    found = run(toy, inputs_embeds=embeds, max_new_tokens=6)
    assert found.tolist() == [greedy(toy, [3, 4, 5], 6)[3:]]
    assert run(toy, PROMPT, inputs_embeds=embeds, max_length=9).tolist() == [greedy(toy, [3, 4, 5], 6)]


def test_several_sequences_read_the_prompt_once(toy):
    found = run(toy, PROMPTS, do_sample=True, num_return_sequences=3, seed=1, max_new_tokens=4)
    assert found.shape == (6, 9)
    assert found[:, :5].tolist() == PROMPTS.repeat_interleave(3, 0).tolist()
    assert toy.calls[0] == (2, 5)
    assert set(toy.calls[1:]) == {(6, 1)}


def test_end_tokens_end_a_row_and_padding_follows(make_toy):
    plain = make_toy()
    texts = [greedy(plain, [3, 4, 5], 12), greedy(plain, [7, 8, 9, 10, 11], 12)]
    end = texts[0][6]
    assert end in texts[1][5:]
    toy = make_toy(eos_token_id=[28, end], pad_token_id=27)
    found = run(toy, PROMPTS, attention_mask=MASK, max_new_tokens=12)
    for row, (text, width) in enumerate(zip(texts, (3, 5), strict=True)):
        new = text[width : text.index(end, width) + 1]
        assert found[row, 5:].tolist() == new + [27] * (found.shape[1] - 5 - len(new))
    assert found.shape[1] < 17


def test_stop_strings_of_one_row_leave_the_other(make_toy, byte_tokenizer):
    toy = make_toy(vocabulary=128, pad_token_id=127)
    texts = [greedy(toy, prompt, 8) for prompt in ([3, 4, 5], [7, 8, 9, 10, 11])]
    last = 5
    stop = bytes(texts[0][last : last + 2]).decode()
    found = run(toy, PROMPTS, attention_mask=MASK, max_new_tokens=8, stop_strings=[stop], tokenizer=byte_tokenizer)
    assert found[0, 2:].tolist()[: last + 2] == texts[0][: last + 2]
    assert set(found[0, 2 + last + 2 :].tolist()) <= {127}
    with pytest.raises(GenerationError, match="needs the tokenizer"):
        run(toy, PROMPT, stop_strings="a")


def test_time_and_criteria_end_generation(toy):
    assert run(toy, PROMPT, max_time=1e-9, max_new_tokens=30).shape[1] < 10
    seen = []

    def five(ids, scores, **_):
        seen.append(scores)
        return ids.shape[1] >= 5

    assert run(toy, PROMPT, stopping_criteria=[five], max_new_tokens=9).shape[1] == 5
    run(toy, PROMPT, stopping_criteria=five, max_new_tokens=9, output_scores=True, return_dict_in_generate=True)
    assert seen[0] is None
    assert [len(scores) for scores in seen[-2:-1]] == [2]


def test_a_seed_decides_and_the_global_generator_does_not(toy):
    def sample(**options):
        return run(toy, PROMPTS, do_sample=True, top_k=0, max_new_tokens=20, **options).tolist()

    one = sample(seed=5)
    state = torch.random.get_rng_state()
    assert sample(seed=5) == one
    assert torch.equal(torch.random.get_rng_state(), state)
    assert sample(seed=6) != one
    assert sample(generator=torch.Generator().manual_seed(5)) == one
    torch.manual_seed(5)
    first = sample()
    torch.manual_seed(5)
    assert sample() == first
    with pytest.raises(GenerationError, match="both given"):
        sample(seed=5, generator=torch.Generator())


def test_the_record_holds_what_was_asked_for(toy):
    found = run(
        toy, PROMPTS, attention_mask=MASK, max_new_tokens=4, return_dict_in_generate=True, output_scores=True,
        output_logits=True, output_hidden_states=True, output_attentions=True, repetition_penalty=1.5,
    )  # fmt: skip
    assert isinstance(found, GenerateOutput)
    assert (len(found.scores), len(found.logits), len(found.hidden_states), len(found.attentions)) == (4, 4, 4, 4)
    for step, (scores, logits) in enumerate(zip(found.scores, found.logits, strict=True)):
        assert scores.dtype == torch.float32
        assert torch.equal(scores.argmax(-1), found.sequences[:, 5 + step])
        text = found.sequences[0, 2 : 5 + step]
        whole = toy(text[None], position_ids=torch.arange(len(text))[None]).logits[0, -1]
        torch.testing.assert_close(logits[0], whole, rtol=1e-4, atol=1e-4)
        assert not torch.equal(scores, logits)
    assert found.past_key_values.seen == 8
    assert "beam_indices" not in found
    assert run(toy, PROMPT, max_new_tokens=2, return_dict_in_generate=True).keys() == ("sequences", "past_key_values")


def test_what_comes_back_can_be_trained_on(toy):
    ids = run(toy, PROMPT, max_new_tokens=3)
    record = run(toy, PROMPT, max_new_tokens=3, return_dict_in_generate=True, output_scores=True)
    assert not any(one.is_inference() for one in (ids, record.sequences, *record.scores))
    toy(ids, position_ids=torch.arange(6)[None]).logits.sum().backward()
    assert toy.head.weight.grad is not None


@pytest.mark.parametrize("padded", [False, True])
def test_a_second_turn_goes_on_from_the_cache(toy, padded):
    first = run(toy, PROMPTS, attention_mask=MASK if padded else None, max_new_tokens=4, return_dict_in_generate=True)
    turn = torch.tensor([[1, 2], [2, 1]])
    ids = torch.cat((first.sequences, turn), dim=1)
    mask = torch.cat((MASK, torch.ones(2, 6, dtype=torch.long)), dim=1) if padded else None
    whole = run(toy, ids, attention_mask=mask, max_new_tokens=5)
    toy.calls.clear()
    assert torch.equal(
        run(toy, ids, attention_mask=mask, past_key_values=first.past_key_values, max_new_tokens=5), whole
    )
    assert toy.calls[0] == (2, 3)


def test_new_tokens_alone_with_a_mask_over_everything(toy):
    first = run(toy, PROMPT, max_new_tokens=4, return_dict_in_generate=True)
    whole = run(toy, torch.cat((first.sequences, PROMPT), 1), max_new_tokens=5)
    new = torch.cat((first.sequences[:, -1:], PROMPT), 1)
    found = run(toy, new, attention_mask=torch.ones(1, 10), past_key_values=first.past_key_values, max_new_tokens=5)
    assert found[:, 1:].tolist() == whole[:, 7:].tolist()


def test_processors_of_the_caller_come_in(toy):
    class Only(LogitsProcessor):
        def __call__(self, input_ids, scores):
            return torch.full_like(scores, float("-inf")).index_fill(1, torch.tensor([input_ids.shape[1]]), 0.0)

    assert run(toy, PROMPT, logits_processor=[Only()], max_new_tokens=3).tolist() == [[3, 4, 5, 3, 4, 5]]
    assert run(toy, PROMPT, logits_processor=Only(), max_new_tokens=3).tolist() == [[3, 4, 5, 3, 4, 5]]


def test_the_configuration_may_stand_second(toy):
    assert run(toy, PROMPT, GenerationConfig(max_new_tokens=2)).shape == (1, 5)


def test_a_prefix_function_and_forced_tokens(toy):
    def allowed(prompt, ids):
        return [10 + prompt]

    found = run(
        toy, PROMPTS, prefix_allowed_tokens_fn=allowed, forced_eos_token_id=2, max_new_tokens=3, do_sample=True,
        num_return_sequences=2,
    )  # fmt: skip
    assert found[:, 5:].tolist() == [[10, 10, 2], [10, 10, 2], [11, 11, 2], [11, 11, 2]]


def test_guidance_equals_two_models_side_by_side(toy):
    """scale * (with - without) + without, in log-probabilities, each from whole passes."""
    negative, text, scale = [6, 2], [3, 4, 5], 1.8
    for _ in range(5):
        sides = [
            toy(torch.tensor([ids]), position_ids=torch.arange(len(ids))[None]).logits[0, -1].log_softmax(-1)
            for ids in (text, negative)
        ]
        token = int((scale * (sides[0] - sides[1]) + sides[1]).argmax())
        text, negative = [*text, token], [*negative, token]
    for use_cache in (True, False):
        found = run(
            toy, PROMPT, guidance_scale=scale, negative_prompt_ids=[[6, 2]], max_new_tokens=5, use_cache=use_cache
        )
        assert found.tolist() == [text]


def test_hooks_of_observers_add_processors(toy, monkeypatch):
    class Hooks:
        @hookimpl
        def modelry_logits_processors(self, config):
            assert config.max_new_tokens == 2
            return [lambda ids, scores: torch.zeros_like(scores).index_fill(1, torch.tensor([17]), 1.0)]

    module = type(sys)("toy_hooks")
    module.hooks = Hooks()
    monkeypatch.setitem(sys.modules, "toy_hooks", module)
    monkeypatch.setenv("MODELRY_HOOKS", "seventeen")
    strategy = get_registry().get("decoders", "toy-strategy")
    with use_registry(Registry().extended(strategy, HookSet(name="seventeen", hooks="toy_hooks:hooks"))):
        assert run(toy, PROMPT, max_new_tokens=2).tolist() == [[3, 4, 5, 17, 17]]


class Recorder(BaseStreamer):
    def __init__(self):
        self.seen, self.ended, self.error = [], 0, None

    def put(self, value):
        self.seen.append(value.tolist())

    def end(self):
        self.ended += 1

    def fail(self, error):
        self.error = error


def test_a_streamer_gets_the_prompt_and_each_token_once(toy):
    streamer = Recorder()
    found = run(toy, PROMPT, streamer=streamer, max_new_tokens=4)
    assert streamer.seen == [PROMPT.tolist(), *([token] for token in found[0, 3:].tolist())]
    assert (streamer.ended, streamer.error) == (1, None)
    streamer = Recorder()
    run(toy, PROMPTS, streamer=streamer, max_new_tokens=2, do_sample=True, num_return_sequences=2)
    assert [len(rows) for rows in streamer.seen] == [4, 4, 4]


def test_a_streamer_learns_of_errors(toy):
    streamer = Recorder()
    with pytest.raises(GenerationError):
        run(toy, [[99]], streamer=streamer)
    assert isinstance(streamer.error, GenerationError)
    assert streamer.ended == 0


def test_length_rules(toy):
    assert run(toy, PROMPT, max_length=7).shape == (1, 7)
    assert run(toy, PROMPT, generation_config=GenerationConfig(max_length=7), max_new_tokens=2).shape == (1, 5)
    toy.generation_config = GenerationConfig(max_new_tokens=2)
    assert run(toy, PROMPT).shape == (1, 5)
    assert run(toy, PROMPT, max_length=8).shape == (1, 8)
    with pytest.raises(GenerationError, match=r"3 tokens and max_length=3 counts them"):
        run(toy, PROMPT, max_length=3)


def test_the_context_ends_generation(make_toy):
    toy = make_toy(max_position_embeddings=6)
    with pytest.warns(ModelryWarning, match=r"max_new_tokens=9 goes beyond the 6 positions .* after 3 tokens"):
        assert run(toy, PROMPT, max_new_tokens=9).shape == (1, 6)
    assert run(toy, PROMPT).shape == (1, 6)
    with pytest.raises(GenerationError, match="fills all 6 positions"):
        run(toy, [[1] * 6], max_new_tokens=1)


def test_a_plugin_sees_no_gradients(toy):
    found = run(toy, PROMPT, max_new_tokens=2, return_dict_in_generate=True, output_logits=True)
    assert not any(logits.requires_grad for logits in found.logits)


def test_importing_generation_imports_no_torch():
    code = "import sys, modelry.generation; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_top_k_that_nobody_set_keeps_a_small_vocabulary_whole(toy):
    assert generate(toy, PROMPT, do_sample=True, seed=0, max_new_tokens=2, strategy="toy-strategy").shape == (1, 5)
