"""A model that drafts for one with an encoder: whether it has an encoder of its own, and what its forward is given.

B prompts   R rows   S positions of the encoder's input   D width of its output   n new positions of the decoder
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.other_inputs import inputs_of_rows
from modelry.generation.prompt import Prompt, check_ids, vocabulary_of
from modelry.outputs import BaseModelOutput

_OF_ENCODERS = ("hidden_size", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "num_mel_bins")
"""What two configurations say alike where their encoders are the same."""

Arguments = Callable[[Tensor, Tensor, Tensor | None], dict[str, Any]]
"""New ids (R, n), an encoder's output (R, S, D) and its mask (R, S) or None, to arguments of a forward pass."""


def arguments_for(model: Any) -> Arguments:
    """By which names a model is given what it reads.

    Raises:
        GenerationError: it is a decoder that looks at nothing.
    """
    if model.config.is_encoder_decoder:
        return lambda ids, states, mask: {
            "decoder_input_ids": ids,
            "encoder_outputs": BaseModelOutput(last_hidden_state=states),
            "attention_mask": mask,
        }
    named = inspect.signature(type(model).forward).parameters
    if "encoder_outputs" in named:  # published so of Whisper, whose sounds have no padding
        return lambda ids, states, mask: {
            "input_ids": ids,
            "encoder_outputs": BaseModelOutput(last_hidden_state=states),
        }
    if "encoder_hidden_states" in named:
        return lambda ids, states, mask: {
            "input_ids": ids,
            "encoder_hidden_states": states,
            "encoder_attention_mask": mask,
        }
    raise GenerationError(
        f"{type(model).__name__} looks at no encoder's output, so it cannot draft for a model that does: give a "
        "smaller encoder-decoder of the same tokenizer"
    )


def reads_itself(draft: Any, model: Any) -> bool:
    """Whether a draft model has an encoder of its own; else it looks at the output of the model's.

    Raises:
        GenerationError: it has none, and was made for an encoder of another size.
    """
    if draft.config.is_encoder_decoder:
        return draft.get_encoder() is not model.get_encoder()
    for name in _OF_ENCODERS:
        own, other = getattr(model.config, name, None), getattr(draft.config, name, None)
        if own is not None and other is not None and own != other:
            raise GenerationError(
                f"{type(draft).__name__} has no encoder and was made for one with {name} {other}, and that of "
                f"{type(model).__name__} has {own}: load the draft model with its encoder, as the model is loaded"
            )
    return False


def as_looked_at(draft: Any, model: Any) -> Callable[[Tensor], Tensor]:
    """What a decoder by itself looks at of the output (R, S, D) of a model's encoder: that, or what is between the
    model's own encoder and decoder makes of it.

    Raises:
        GenerationError: it was made for another width.
    """
    wide = getattr(draft.config, "cross_attention_hidden_size", None) or draft.config.hidden_size
    given = model.get_encoder().config.hidden_size
    if wide == given:
        return lambda states: states
    between = getattr(model, "enc_to_dec_proj", None)  # published so of models that are put together of two
    if between is not None and wide == between.out_features:
        return lambda states: between(states)
    also = "" if between is None else f", {between.out_features} behind its enc_to_dec_proj"
    raise GenerationError(
        f"{type(draft).__name__} looks at states of width {wide}, and those of {type(model).__name__}'s encoder have "
        f"{given}{also}: load the draft model with its encoder, as the model is loaded"
    )


def same_inputs(prompt: Prompt, model: Any, draft: Any, rows: Tensor) -> Prompt:
    """What a draft model's own encoder reads: the model's inputs, on its device and in its dtype.

    Args:
        rows: (R,) prompts.

    Raises:
        GenerationError: it cannot read them.
    """
    extras = {name: value for name, value in prompt.extras.items() if name != "encoder_outputs"}
    if not prompt.ids.shape[1] and draft.main_input_name not in extras:
        raise GenerationError(
            f"{type(draft).__name__} drafts with an encoder of its own, which reads no encoder_outputs or embeddings "
            f"of another: give {draft.main_input_name} too"
        )
    check_ids(prompt.ids, vocabulary_of(draft))
    placed = {
        name: _placed(value, draft) if isinstance(value, Tensor) else value
        for name, value in inputs_of_rows(model, extras, prompt.ids, rows).items()
    }
    mask = None if prompt.mask is None else prompt.mask[rows].to(draft.device)
    return Prompt(prompt.ids[rows].to(draft.device), mask, placed)


def _placed(value: Tensor, draft: Any) -> Tensor:
    return value.to(draft.device, draft.dtype) if value.is_floating_point() else value.to(draft.device)
