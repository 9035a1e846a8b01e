"""The forward pass: it gives what the ecosystem's arguments ask for, twice the same, and leaves no traces."""

import inspect
from typing import Any

import pytest
import torch

from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Subject, main_output, same

EXPECTED_ARGUMENTS = ("attention_mask", "position_ids", "inputs_embeds", "output_hidden_states")


@torch.inference_mode()
def forward(subject: Subject) -> None:
    """The model runs, and every value is finite."""
    model, inputs = subject.model(), subject.inputs()
    result = model(**inputs)
    output = main_output(result)
    if not torch.isfinite(output).all():
        raise ContractBroken(f"{type(model).__name__} returns values that are not finite")
    first = next(iter(inputs.values()))
    if output.shape[0] != first.shape[0]:
        raise ContractBroken(f"{type(model).__name__} returns {tuple(output.shape)} for {first.shape[0]} rows")
    if (
        subject.head in ("causal-lm", "base")
        and "input_ids" in inputs
        and output is not result.get("text_embeds")
        and tuple(output.shape[:2]) != tuple(inputs["input_ids"].shape)
        and not ("pixel_values" in inputs and output.shape[1] > inputs["input_ids"].shape[1])  # a page behind its text
    ):
        raise ContractBroken(
            f"{type(model).__name__} returns {tuple(output.shape)} for {tuple(inputs['input_ids'].shape)} ids"
        )
    text: Any = subject.config().get_text_config()
    if subject.head == "causal-lm" and output.shape[-1] != text.vocab_size:
        raise ContractBroken(f"{output.shape[-1]} logits for a vocabulary of {text.vocab_size}")


@torch.inference_mode()
def determinism(subject: Subject) -> None:
    """The same inputs give the same bits; neither weights nor the global random state change."""
    model, inputs = subject.model(), subject.inputs()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    state = torch.random.get_rng_state()
    first = main_output(model(**inputs))
    if not torch.equal(torch.random.get_rng_state(), state):
        raise ContractBroken("a forward pass in eval mode draws random numbers")
    torch.manual_seed(3)
    if not torch.equal(main_output(model(**inputs)), first):
        raise ContractBroken("the same inputs give different results the second time")
    changed = [name for name, one in model.state_dict().items() if not torch.equal(one, before[name])]
    if changed:
        raise ContractBroken(f"a forward pass in eval mode changes {', '.join(changed)}")


@torch.inference_mode()
def arguments(subject: Subject) -> None:
    """The ecosystem's arguments exist and do what they say; outputs are read by name, key and position."""
    model, inputs = subject.model(), subject.inputs()
    if model.main_input_name != "input_ids":
        pytest.skip(f"the model reads {model.main_input_name}, not ids")
    taken = inspect.signature(model.forward).parameters
    anything = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
    counted = {"position_ids"} if subject.config().is_encoder_decoder else set()  # each side counts its own
    missing = [name for name in EXPECTED_ARGUMENTS if name not in {*taken, *counted} and not anything]
    if missing:
        raise ContractBroken(f"{type(model).__name__}.forward takes no {', '.join(missing)}")
    output = model(**inputs, output_hidden_states=True)
    expected = main_output(output)
    embeds = model.get_input_embeddings()(inputs["input_ids"])
    rest = {key: value for key, value in inputs.items() if key != "input_ids"}
    same(main_output(model(inputs_embeds=embeds, **rest)), expected, tolerance=subject.tolerance, what="inputs_embeds")
    if subject.head == "causal-lm":
        last = model(**inputs, logits_to_keep=1).logits
        same(last, expected[:, -1:], tolerance=subject.tolerance, what="logits_to_keep=1")
    states = next((output[key] for key in ("hidden_states", "decoder_hidden_states") if key in output), None)
    text: Any = subject.config().get_text_config()
    layers = text.num_hidden_layers
    if states is None or len(states) != layers + 1:
        found = "none" if states is None else len(states)
        raise ContractBroken(
            f"output_hidden_states gives {found} tensors: {layers} layers and the embeddings make {layers + 1}"
        )
    name = next(key for key in output if output[key] is expected)
    if output[0] is not expected or getattr(output, name) is not expected:
        raise ContractBroken(f"the output's {name} is not the same by name, by key and by position")


@torch.inference_mode()
def attention_backends(subject: Subject) -> None:
    """Every attention backend of the kernel gives the same result."""
    model, inputs = subject.model(), subject.inputs()
    if not any("attend" in vars(one) or hasattr(type(one), "attend") for one in model.modules()):
        pytest.skip("the model has no module with an `attend`: it chooses no attention backend")
    expected = main_output(model(**inputs))
    for name in ("eager", "sdpa"):
        model.set_attn_implementation(name)
        same(main_output(model(**inputs)), expected, tolerance=subject.tolerance, what=f"attention by {name}")


@torch.inference_mode()
def resized(subject: Subject) -> None:
    """A larger vocabulary leaves the old tokens' results as they were."""
    model, inputs = subject.model(), subject.inputs()
    if "input_ids" not in inputs:
        pytest.skip("the model has no vocabulary")
    expected = main_output(model(**inputs))
    text: Any = model.config.get_text_config()
    size = text.vocab_size
    model.resize_token_embeddings(size + 3)
    found = main_output(model(**inputs))
    if model.get_output_embeddings() is not None:
        if found.shape[-1] != size + 3:
            raise ContractBroken(f"resize_token_embeddings({size + 3}) gives {found.shape[-1]} logits")
        found = found[..., :size]
    if text.vocab_size != size + 3:
        raise ContractBroken("resize_token_embeddings leaves vocab_size of the configuration as it was")
    same(found, expected, tolerance=subject.tolerance, what="old tokens after resize_token_embeddings")
