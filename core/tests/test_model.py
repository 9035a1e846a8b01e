"""What every model can do besides forward."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from kernel_toys import CompositeConfig, CompositeModel, LegacyConfig, NoteConfig, NoteForCausalLM, NoteModel
from torch import nn

from modelry.errors import ConfigError, GenerationError, UnknownName
from modelry.nn.eager import eager_attention
from modelry.nn.sdpa import sdpa_attention

pytestmark = pytest.mark.usefixtures("registry")


def test_every_way_of_making_a_model_finishes_it() -> None:
    torch.manual_seed(0)
    config = NoteConfig(initializer_range=0.5, hidden_size=64, vocab_size=512)
    for model in (NoteForCausalLM(config), NoteForCausalLM.from_config(config)):
        assert model.lm_head.weight is model.model.embed_tokens.weight
        assert abs(model.lm_head.weight.std() - 0.5) < 0.02
        assert model.model.layers[0].dense.bias.equal(torch.zeros(64))
        assert model.model.norm.weight.equal(torch.ones(64))
        assert model.model.layers[0].attend is sdpa_attention


def test_the_model_keeps_a_checked_copy_of_its_configuration() -> None:
    config = NoteConfig()
    model = NoteModel.from_config(config)
    assert model.config == config
    assert model.config is not config
    config.hidden_size = 3
    with pytest.raises(ConfigError, match="hidden_size 3"):
        NoteModel.from_config(config)
    with pytest.raises(ConfigError, match="NoteModel needs a NoteConfig, not a CompositeConfig"):
        NoteModel.from_config(CompositeConfig(text_config=NoteConfig()))


def test_on_the_meta_device_only_computed_buffers_have_values() -> None:
    with torch.device("meta"):
        model = NoteForCausalLM(NoteConfig())
    assert all(parameter.is_meta for parameter in model.parameters())
    assert not model.model.angles.is_meta


def test_dtype_and_device() -> None:
    model = NoteForCausalLM.from_config(NoteConfig(), dtype="bfloat16")
    assert model.dtype == torch.bfloat16
    assert model.model.angles.dtype == torch.float32
    assert model.device == torch.device("cpu")
    assert NoteModel.from_config(NoteConfig(dtype="float16"), dtype="auto").dtype == torch.float16
    assert NoteModel.from_config(NoteConfig(dtype="float16")).dtype == torch.float32


def test_counting_parameters() -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    embedding, rest = 32 * 8, 2 * (64 + 8) + 16
    assert model.num_parameters() == embedding + rest, "tied ones once"
    assert model.num_parameters(exclude_embeddings=True) == rest
    model.model.norm.requires_grad_(False)
    assert model.num_parameters(only_trainable=True) == embedding + rest - 16


def test_attention_is_chosen_by_name() -> None:
    model = NoteForCausalLM.from_config(NoteConfig(), attn_implementation="eager")
    assert model.attn_implementation == model.model.attn_implementation == "eager"
    assert all(layer.attend is eager_attention for layer in model.model.layers)
    model.set_attn_implementation("sdpa")
    assert all(layer.attend is sdpa_attention for layer in model.model.layers)
    with pytest.raises(UnknownName, match="flash-attention-9"):
        model.set_attn_implementation("flash-attention-9")


def test_models_inside_models_come_from_the_registry() -> None:
    model = CompositeModel.from_config(CompositeConfig(text_config=NoteConfig()))
    assert type(model.language_model) is NoteModel
    assert model.get_input_embeddings() is model.language_model.embed_tokens
    other = CompositeModel.from_config(CompositeConfig(text_config=LegacyConfig()))
    assert type(other.language_model).__name__ == "LegacyModel"


# The vocabulary's two ends


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("rows", [40, 20])
def test_resizing_the_vocabulary(tied: bool, rows: int) -> None:
    model = NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=tied))
    before, head = model.model.embed_tokens.weight.clone(), model.lm_head.weight.clone()
    assert model.resize_token_embeddings(rows) is model.get_input_embeddings()
    kept = min(rows, 32)
    assert model.config.vocab_size == rows
    assert model.model.config.vocab_size == rows
    assert model.model.embed_tokens.weight[:kept].equal(before[:kept])
    assert model.lm_head.weight[:kept].equal(head[:kept])
    assert (model.lm_head.weight is model.model.embed_tokens.weight) is tied
    assert model(torch.tensor([[1]])).shape == (1, 1, rows)


def test_resizing_to_a_multiple() -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    model.resize_token_embeddings(33, pad_to_multiple_of=16)
    assert model.config.vocab_size == 48
    assert model.resize_token_embeddings(48) is model.get_input_embeddings()
    with pytest.raises(ConfigError, match="0 tokens"):
        model.resize_token_embeddings(0)


def test_resized_models_come_back(tmp_path: Path) -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    model.resize_token_embeddings(40)
    model.save_pretrained(tmp_path)
    assert NoteForCausalLM.from_pretrained(tmp_path).lm_head.weight.equal(model.lm_head.weight)


def test_replacing_the_ends() -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    new = nn.Embedding(32, 8)
    model.set_input_embeddings(new)
    assert model.get_input_embeddings() is new
    assert model.lm_head.weight is new.weight, "tied outputs follow"
    head = nn.Linear(8, 32, bias=False)
    model.set_output_embeddings(head)
    assert model.get_output_embeddings() is head
    base = NoteModel.from_config(NoteConfig())
    assert base.get_output_embeddings() is None
    with pytest.raises(ConfigError, match="has no lm_head"):
        base.set_output_embeddings(head)


def test_a_model_without_tokens_says_so() -> None:
    class Blind(NoteModel):
        input_embeddings_name = "eyes"

    with pytest.raises(ConfigError, match="Blind has no input embedding of tokens"):
        Blind.from_config(NoteConfig()).get_input_embeddings()


# Training and running


def test_gradient_checkpointing_changes_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    model = NoteForCausalLM.from_config(NoteConfig()).train()
    ids = torch.tensor([[1, 2, 3]])
    calls: list[Any] = []
    layer_forward = type(model.model.layers[0]).forward

    def counted(self: nn.Module, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        calls.append(self)
        return layer_forward(self, x, angles)

    monkeypatch.setattr(type(model.model.layers[0]), "forward", counted)

    def gradients() -> list[torch.Tensor]:
        calls.clear()
        model.zero_grad()
        model(ids).square().sum().backward()
        return [parameter.grad.clone() for parameter in model.parameters()]  # type: ignore[union-attr]

    plain = gradients()
    assert len(calls) == 2
    model.gradient_checkpointing_enable()
    recomputed = gradients()
    assert len(calls) == 4, "each layer runs again in the backward pass"
    assert all(one.equal(other) for one, other in zip(plain, recomputed, strict=True))
    with torch.no_grad():
        calls.clear()
        model(ids)
        assert len(calls) == 2
    model.gradient_checkpointing_disable()
    assert all(one.equal(other) for one, other in zip(plain, gradients(), strict=True))
    assert len(calls) == 2


def test_inputs_ask_for_gradients_where_nothing_below_learns() -> None:
    """As scripts prepare a model for adapters in layers that are recomputed in torch's older way."""
    model = NoteForCausalLM.from_config(NoteConfig()).train()
    model.get_input_embeddings().requires_grad_(False)
    model.gradient_checkpointing_enable({"use_reentrant": True})
    weight = next(iter(model.model.layers.parameters()))
    for enabled in (True, False):
        model.enable_input_require_grads() if enabled else model.disable_input_require_grads()
        weight.grad = None
        with nullcontext() if enabled else pytest.warns(UserWarning, match="None of the inputs have requires_grad"):
            model(torch.tensor([[1, 2]])).square().sum().backward()
        assert (weight.grad is not None) == enabled
    model.enable_input_require_grads()
    with torch.inference_mode():
        model(torch.tensor([[1, 2]]))


def test_gradient_checkpointing_switches_the_cache_off() -> None:
    seen: list[bool | None] = []

    class Watching(NoteForCausalLM):
        def forward(self, input_ids: torch.Tensor, use_cache: bool | None = None) -> torch.Tensor:
            seen.append(use_cache)
            return super().forward(input_ids)

    model = Watching.from_config(NoteConfig()).train()
    model.gradient_checkpointing_enable()
    model(torch.tensor([[1]]), use_cache=True)
    model.eval()
    model(torch.tensor([[1]]), use_cache=True)
    assert seen == [False, True]


def test_a_model_without_layers_cannot_recompute_them() -> None:
    class Flat(NoteModel):
        def __init__(self, config: NoteConfig) -> None:
            super().__init__(config)
            del self.layers

    with pytest.raises(ConfigError, match="cannot recompute"):
        Flat.from_config(NoteConfig()).gradient_checkpointing_enable()


def test_generate_is_delegated(monkeypatch: pytest.MonkeyPatch) -> None:
    import modelry.generation as generation

    def generate(model: Any, inputs: Any, config: Any, **options: Any) -> Any:
        return SimpleNamespace(model=model, inputs=inputs, config=config, options=options)

    monkeypatch.setattr(generation, "generate", generate, raising=False)
    model = NoteForCausalLM.from_config(NoteConfig())
    out = model.generate(torch.tensor([[1]]), max_new_tokens=3)
    assert out.model is model
    assert (out.config, out.options) == (None, {"max_new_tokens": 3})
    assert model.generate(torch.tensor([[1]]), "settings").config == "settings"


def test_a_cache_of_its_own() -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    assert len(model.make_cache().layers) == 2


def test_generation_config_comes_from_the_configuration() -> None:
    model = NoteForCausalLM.from_config(NoteConfig(eos_token_id=7))
    assert not model.has_generation_config
    assert model.generation_config.eos_token_id == 7
    assert not model.has_generation_config, "asking for it, as generate does, adds no file to what is saved"
    model.generation_config.max_new_tokens = 3
    assert model.has_generation_config


def test_only_what_scores_next_tokens_generates() -> None:
    assert NoteForCausalLM.can_generate()
    assert not NoteModel.can_generate()
    with pytest.raises(GenerationError, match=r"NoteModel does not score next tokens.*AutoModelForCausalLM"):
        NoteModel(NoteConfig()).generate(torch.tensor([[1]]))


def test_transition_scores_by_the_ecosystems_name() -> None:
    found = NoteForCausalLM(NoteConfig()).compute_transition_scores(torch.tensor([[4, 1]]), (torch.arange(3.0)[None],))
    assert found.tolist() == [[1.0]]


def test_one_layer_in_two_is_recomputed() -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    model.activation_checkpointing_enable(every_n_layers=2)
    assert model.is_gradient_checkpointing
    assert ["forward" in layer.__dict__ for layer in model.model.layers] == [True, False]
    model.gradient_checkpointing_disable()
    assert not model.is_activation_checkpointing
    with pytest.raises(ConfigError, match="recomputed and not kept on the CPU"):
        model.activation_checkpointing_enable(offload=True)


def test_tags_are_remembered() -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    model.add_model_tags(["sft"])
    model.add_model_tags("lora")
    assert model.model_tags == ["sft", "lora"]
