"""compile=True: one program for all steps, the same tokens, and nothing compiled where nobody asks.

Most tests trace only (`backend="eager"`); one builds machine code.
"""

import copy
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn.modules.module import register_module_forward_hook

from modelry.cache import Cache, GrowingLayerCache
from modelry.errors import GenerationError
from modelry.generation import GenerationConfig, generate
from modelry.generation.compiling import CompiledStep, CompiledSteps, _asked_each_time, compile_options
from modelry_testing.decoding.lent import LentEncoderDecoder
from modelry_testing.interpreting import MISSING, interpreted
from modelry_testing.toys.configuration import ToyConfig
from modelry_testing.toys.modeling import ToyForCausalLM

PROMPTS = torch.tensor([[0, 0, 0, 11, 12], [21, 22, 23, 24, 25]])
MASK = (PROMPTS != 0).long()
TRACED = {"compile": True, "compile_config": {"backend": "eager"}}


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = ToyForCausalLM(ToyConfig(vocab_size=64, num_hidden_layers=1)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 0.5)
    return made


def run(model, rows=slice(None), **options):
    fixed = {"max_new_tokens": 12, "eos_token_id": None, "pad_token_id": 0, "attention_mask": MASK[rows]}
    return model.generate(PROMPTS[rows], **{**fixed, **options})


def graphs():
    assert not counters["graph_break"]
    return counters["stats"]["unique_graphs"]


def test_one_program_for_all_steps(model):
    before = graphs()
    expected = run(model)
    assert graphs() == before
    assert torch.equal(run(model, **TRACED), expected)
    assert graphs() == before + 1
    assert torch.equal(run(model, **TRACED, max_new_tokens=25)[:, : expected.shape[1]], expected)
    assert torch.equal(run(model, **TRACED, do_sample=True, seed=1), run(model, do_sample=True, seed=1))
    assert graphs() == before + 1
    assert torch.equal(run(model, slice(1, 2), **TRACED), run(model, slice(1, 2)))
    assert graphs() == before + 2


def test_attention_costs_what_is_there_to_see(model):
    """One program for one row of 155 positions, which reads the blocks in use and not the whole cache."""
    widths = set()

    def traced(graph, inputs):
        def call(*args):
            widths.update(arg.shape[2] for arg in args if isinstance(arg, torch.Tensor) and arg.ndim == 4)
            return graph(*args)

        return call

    before, rows = graphs(), slice(1, 2)
    expected = run(model, rows, max_new_tokens=150)
    assert torch.equal(run(model, rows, max_new_tokens=150, compile=True, compile_config={"backend": traced}), expected)
    assert graphs() == before + 1
    assert widths == {64, 128, 191}  # of 192: the last slot is for the last token, which nothing reads


def test_another_model_is_another_program(model):
    run(model, **TRACED)
    steps = CompiledSteps.of(model)
    assert len(steps) == 1
    other = copy.deepcopy(model)
    assert len(CompiledSteps.of(other)) == 0
    assert len(CompiledSteps.of(pickle.loads(pickle.dumps(model)))) == 0
    with torch.no_grad():
        other.lm_head.weight.neg_()
        model.lm_head.weight.mul_(1.0)
    assert not torch.equal(run(other, **TRACED), run(model, **TRACED))
    assert len(CompiledSteps.of(model)) == 1  # weights changed in place are read where they are
    model.double()
    assert len(CompiledSteps.of(model)) == 0
    assert torch.equal(run(model, **TRACED), run(model))
    model.base_model.layers[0].up_proj = copy.deepcopy(model.base_model.layers[0].up_proj)
    assert len(CompiledSteps.of(model)) == 0


def test_what_is_changed_between_two_texts_is_seen(model, monkeypatch):
    """The steps of one text do not ask the model whether it is as it was; the next text does, once."""
    run(model, **TRACED)
    before = graphs()
    layer = model.base_model.layers[0]
    handle = layer.register_forward_hook(lambda module, inputs, out: -0.5 * out)
    changed = run(model)
    assert torch.equal(run(model, **TRACED), changed)
    handle.remove()
    assert not torch.equal(run(model, **TRACED), changed)
    assert graphs() == before + 2
    assert torch.equal(run(model, **TRACED), run(model))
    assert graphs() == before + 2
    forward = type(layer).forward
    monkeypatch.setattr(type(layer), "forward", lambda self, *given: -0.5 * forward(self, *given))
    assert torch.equal(run(model, **TRACED), changed)
    monkeypatch.undo()
    with register_module_forward_hook(lambda module, _, out: -0.5 * out if module is layer else None):
        assert torch.equal(run(model, **TRACED), changed)


def test_few_questions_are_asked_before_each_step(model, monkeypatch):
    asked = []

    def counted(questions):
        asked.append((len(questions), sum(kept := _asked_each_time(questions))))
        return kept

    monkeypatch.setattr("modelry.generation.compiling._asked_each_time", counted)
    run(model, **TRACED)
    ((every, kept),) = asked
    assert kept < every / 2


def test_hidden_states_come_along(model):
    options = {"output_hidden_states": True, "return_dict_in_generate": True}
    found, expected = run(model, **TRACED, **options), run(model, **options)
    assert torch.equal(found.sequences, expected.sequences)
    torch.testing.assert_close(found.hidden_states, expected.hidden_states, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # of what torch imports for it
def test_machine_code_says_the_same(model):
    """On turned keys, up to where the last piece of the cache begins; behind it, eagerly."""
    options = {"max_new_tokens": 20, "max_cache_len": 64, "cache": "static"}
    before, expected = graphs(), run(model, max_new_tokens=40)
    assert torch.equal(run(model, **options, compile=True), expected[:, :25])
    assert graphs() == before + 1
    assert torch.equal(run(model, **options | {"max_new_tokens": 40}, compile=True), expected)
    assert graphs() == before + 1


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_the_program_of_a_gpu_says_the_same(tmp_path):
    said = interpreted(Path(__file__).with_name("gpu_steps.py"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    assert {family: same for family, (same, _) in said.items()} == {"llama": True, "mistral": True}
    assert max(apart for _, apart in said.values()) < 1e-4
    assert any("tl.store" in one.read_text() for one in tmp_path.rglob("*.py")), "Triton's programs ran"


def test_who_asks(model):
    def options(**fields):
        return compile_options(GenerationConfig(**fields), model)

    assert options() is None
    assert options(disable_compile=True, compile_config={"backend": "eager"}) is None
    assert options(compile=False, compile_config={"backend": "eager"}) is None
    assert options(compile_config={"backend": "eager", "mode": None, "_private": 1}) == {"backend": "eager"}
    assert options(compile=True, compile_config={"backend": "eager", "dynamic": False})["dynamic"] is False


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_a_mode_is_the_options_it_stands_for(model):
    """Beside a mode torch takes no options, and every step would be asked thousands of questions about the model."""
    found = compile_options(GenerationConfig(compile_config={"mode": "max-autotune-no-cudagraphs"}), model)
    assert found == {"options": {"max_autotune": True, "coordinate_descent_tuning": True}}


def test_the_ecosystem_s_configuration_object(model):
    from transformers import CompileConfig

    found = compile_options(GenerationConfig(compile_config=CompileConfig(backend="eager", mode="default")), model)
    assert found == {"backend": "eager", "mode": "default", "fullgraph": False}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"disable_compile": True}, "compile=True and disable_compile=True contradict each other"),
        ({"compile_config": {"mood": "max"}}, "compile_config has no mood; it has backend, dynamic, fullgraph, mode"),
        ({"compile_config": {"mode": "fast"}}, "mode='fast'; PyTorch knows default, .*reduce-overhead"),
        ({"compile_config": {"mode": "default", "options": {}}}, "mode='default' and options: torch takes one of them"),
        ({"use_cache": False}, "use_cache=False leaves none"),
        ({"cache": "quantized"}, "needs the static cache, and this one has QuantizedLayerCache"),
        ({"past_key_values": Cache([GrowingLayerCache()])}, "this one has GrowingLayerCache"),
        ({"compile": "yes, please"}, "compile='yes, please'"),
    ],
)
def test_bad_input_is_refused(model, options, message):
    before = graphs()
    with pytest.raises(GenerationError, match=message):
        run(model, **{**TRACED, **options})
    assert graphs() == before
    assert run(model).shape == (2, 17)


def test_an_encoder_decoder_is_refused(model):
    other = SimpleNamespace(config=SimpleNamespace(is_encoder_decoder=True))
    with pytest.raises(GenerationError, match="compile=True is for decoder-only models"):
        compile_options(GenerationConfig(compile=True), other)


def test_an_encoder_decoder_is_refused_by_generate():
    lent = LentEncoderDecoder.random("transformers:T5ForConditionalGeneration")
    ids = torch.tensor([[5, 9, 3, 4]])
    with pytest.raises(GenerationError, match="for decoder-only models, and LentEncoderDecoder is none"):
        generate(lent, ids, max_new_tokens=4, **TRACED)
    assert generate(lent, ids, max_new_tokens=4, use_cache=False).shape[0] == 1


@pytest.mark.parametrize("types", [None, ["full_attention", "sliding_attention"]])
def test_windows_that_a_model_of_another_kind_cannot_be_told(model, types):
    """It takes one pattern for all layers, and would see everything."""
    expected = run(model)
    model.config.sliding_window, model.config.layer_types = 16, types
    with pytest.raises(GenerationError, match=r"layers that see 16 positions, and the prompt and its answer .* 17"):
        run(model, **TRACED)
    model.config.sliding_window, model.config.layer_types = 16, None
    assert torch.equal(run(model, **TRACED, max_new_tokens=11), expected[:, :16])


def test_windows_that_no_layer_has_are_no_reason(model):
    model.config.sliding_window, model.config.layer_types = 4, ["full_attention"]
    assert torch.equal(run(model, **TRACED), run(model))


def test_a_missing_compiler_is_named(model, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    with pytest.raises(GenerationError, match=r"needs a C\+\+ compiler, and 'no-such-compiler -O2' is not found"):
        run(model, compile=True)


def test_what_cannot_be_compiled_is_said_once(model):
    def broken(graph, inputs):
        raise ArithmeticError("no such kernel")

    with pytest.raises(GenerationError, match=r"one step of ToyForCausalLM cannot be compiled .*no such kernel"):
        run(model, compile=True, compile_config={"backend": broken})
    assert run(model).shape == (2, 17)


def test_a_full_cache_makes_room(model):
    """As when rows that advance by different numbers of tokens use more columns than their texts have."""
    cache, dynamic = model.make_cache(kind="static", max_cache_len=7), model.make_cache()
    step = CompiledStep(model, cache, {"backend": "eager"})
    with torch.inference_mode():
        for held in (cache, dynamic):
            model(input_ids=PROMPTS[1:], past_key_values=held)
        for count in range(3):
            ids, at = torch.tensor([[7 + count]]), torch.tensor([[5 + count]])
            if step.fits:
                found = step(ids, mask=None, positions=at, flags={}).logits
            else:
                found = model(input_ids=ids, position_ids=at, past_key_values=cache).logits
            expected = model(input_ids=ids, position_ids=at, past_key_values=dynamic).logits
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        assert step.fits
    assert cache.layers[0].capacity == 64
