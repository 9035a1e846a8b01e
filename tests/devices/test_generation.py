"""generate() on some GPU: strategies and caches say what they say on the CPU; on one that is none waits are counted."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM
from modelry.cache.prefetching import Prefetch
from modelry.generation.compiling import CompiledSteps, compile_options
from modelry.generation.configuration import GenerationConfig
from modelry_testing.pretending import PretendedGpu, is_real, some_gpu

IDS = torch.tensor([[3, 9, 4, 7, 5], [8, 8, 6, 2, 11]])
MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
NEW = 3
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "processors": {
        "do_sample": True,
        "top_k": 5,
        "top_p": 0.9,
        "min_p": 0.01,
        "typical_p": 0.9,
        "epsilon_cutoff": 1e-4,
        "eta_cutoff": 1e-4,
        "temperature": 0.7,
        "repetition_penalty": 1.2,
        "no_repeat_ngram_size": 2,
        "bad_words_ids": [[5], [6, 7]],
        "sequence_bias": {(8,): 1.0, (9, 10): -1.0},
        "suppress_tokens": [11],
        "begin_suppress_tokens": [12],
        "exponential_decay_length_penalty": (2, 1.1),
        "guidance_scale": 1.5,
        "seed": 3,
    },
    "beam-search": {"num_beams": 3, "num_return_sequences": 2},
    "constrained-beam-search": {"num_beams": 3, "force_words_ids": [[5, 6]]},
    "contrastive-search": {"penalty_alpha": 0.6, "top_k": 4},
    "dola": {"dola_layers": "low"},
    "prompt-lookup": {"prompt_lookup_num_tokens": 3},
    "assistant": {"assistant_model": ..., "do_sample": True},
    "watermark": {"do_sample": True, "watermarking_config": {"greenlist_ratio": 0.25, "seeding_scheme": "selfhash"}},
    **{kind: {"cache_implementation": kind} for kind in ("quantized", "offloaded_static")},
}


@pytest.mark.filterwarnings("ignore:dola:UserWarning")
@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
def test_the_same_tokens(llama: Path, options: dict[str, Any], moved: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    options = {name: copy.deepcopy(model) if one is ... else one for name, one in options.items()}
    lengths = {"max_new_tokens": NEW, "min_new_tokens": NEW}
    torch.manual_seed(0)
    expected = copy.deepcopy(model).generate(IDS, attention_mask=MASK, **lengths, **options)
    with some_gpu() as gpu:
        model.to("cuda:0")
        if "assistant_model" in options:
            options["assistant_model"].to("cuda:0")
        ids, mask = moved(IDS), moved(MASK)
        torch.manual_seed(0)
        found = model.generate(ids, attention_mask=mask, **lengths, **options)
        assert str(found.device) == "cuda:0"
        assert found.shape == expected.shape
        if not is_real():
            assert gpu.waits
        if not (is_real() and "do_sample" in options):
            assert found.cpu().tolist() == expected.tolist()


@pytest.mark.skipif(not is_real(), reason="needs a GPU")
def test_recorded_steps_say_what_eager_ones_say(llama: Path, moved: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama).to("cuda:0")
    ids, options = moved(IDS), {"max_new_tokens": 12, "min_new_tokens": 12, "do_sample": False}
    expected = model.generate(ids, **options)
    for _ in range(3):  # a program is warmed up, recorded, and run from its record
        assert model.generate(ids, compile=True, **options).tolist() == expected.tolist()


def test_a_greedy_token_waits_twice(llama: Path, moved: Any) -> None:
    """For the score of the chosen token, which must be a number, and for the token."""
    model = AutoModelForCausalLM.from_pretrained(llama)
    counts = []
    with PretendedGpu() as gpu:
        model.to("cuda:0")
        ids = moved(IDS[:1])
        for new in (2, 6):
            gpu.waits.clear()
            model.generate(ids, max_new_tokens=new, eos_token_id=None)
            counts.append(gpu.waits.total())
    assert counts[1] - counts[0] == 2 * 4


def test_compiled_steps_are_recorded_and_ask_nothing_about_the_model(llama: Path, monkeypatch: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(torch, "compile", lambda step, **options: made.append(options) or step)
    with PretendedGpu():
        model.to("cuda:0")
        options = compile_options(GenerationConfig(compile=True), model)
        CompiledSteps.of(model).function(model, 64, options)
    asked = made[0]["options"].pop("guard_filter_fn")
    assert made == [{"options": {"triton.cudagraphs": True, "size_asserts": False}}]
    assert asked([SimpleNamespace(name="model.layers[0].weight"), SimpleNamespace(name="ids")]) == [False, True]


def test_an_offloaded_cache_is_pinned_and_waited_for(llama: Path, moved: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    with PretendedGpu(), torch.inference_mode():
        model.to("cuda:0")
        cache = model.make_cache(kind="offloaded")
        present = torch.cuda.current_stream()
        before = len(present.waited)  # type: ignore[attr-defined]  # of streams that are none
        for _ in range(3):
            model(moved(IDS), past_key_values=cache)
        assert all(layer.home.keys.is_pinned() and layer.home.keys.device.type == "cpu" for layer in cache)
        assert len(present.waited) - before == 3  # type: ignore[attr-defined]


def test_copies_are_kept_for_the_stream_that_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their memory belongs to the stream in which they were made: another thread's, where weights come from disk."""
    kept: list[Any] = []
    with PretendedGpu():
        monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: kept.append(stream))
        ahead = Prefetch((torch.ones(2),), torch.device("cuda:0"))
        with torch.cuda.stream(torch.cuda.Stream("cuda:0")):
            assert ahead.copies()[0].cpu().tolist() == [1, 1]
            assert kept[-1] is torch.cuda.current_stream()
