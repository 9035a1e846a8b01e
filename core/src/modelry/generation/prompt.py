"""What generation starts from, checked before any work: ids, their mask, other inputs of the model.

B prompts   P positions of a prompt, padding included   D width of an embedding
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.configuration import GenerationConfig


@dataclass(frozen=True)
class Prompt:
    """Checked input of one generation, on the model's device."""

    ids: Tensor
    """(B, P) int64; (B, 0) where the prompt is embeddings only."""
    mask: Tensor | None
    """(B, P) int64, 0 at padding; None where nothing is padded."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Other arguments of the first forward pass (pixel_values, ...)."""
    embeds: Tensor | None = None
    """(B, P, D), instead of the ids."""
    cached: int = 0
    """Leading positions that a cache brought by the caller holds already."""

    @property
    def width(self) -> int:
        """Positions that the model reads."""
        return (self.ids if self.embeds is None else self.embeds).shape[1]

    @property
    def rows(self) -> int:
        """Number of prompts."""
        return (self.ids if self.embeds is None else self.embeds).shape[0]

    def real_ids(self) -> list[list[int]]:
        """The ids of each prompt, without padding."""
        rows = (
            self.ids if self.mask is None else [row[real != 0] for row, real in zip(self.ids, self.mask, strict=True)]
        )
        return [row.tolist() for row in rows]


def read_prompt(
    model: Any, ids: Any, mask: Any, config: GenerationConfig, *, remembered: int, extras: Mapping[str, Any]
) -> Prompt:
    """Check and place what the caller gave.

    Args:
        ids: (B, P) tensor or nested lists, one prompt (P,), or None: then the prompt is the start token.
        mask: (B, P) the like, or None: then pad tokens before a prompt are its padding.
        remembered: positions in a cache that the caller brought.
        extras: other inputs of the model, `inputs_embeds` among them.

    Raises:
        GenerationError: empty, padded on the right, longer than the context, or ids outside the vocabulary.
    """
    device = model.device
    rest = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in extras.items()}
    main: str = getattr(model, "main_input_name", "input_ids")  # models that wrap another's have none
    if model.config.is_encoder_decoder and main != "input_ids":
        return _features(main, ids, mask, rest, device)
    embeds = rest.pop("inputs_embeds", None)
    read_already = rest.get("encoder_outputs")
    if embeds is not None:
        _check_vectors(embeds, "inputs_embeds", getattr(model.get_input_embeddings(), "embedding_dim", None))
    if read_already is not None:
        states = None if isinstance(read_already, str) else read_already[0]
        _check_vectors(states, "encoder_outputs[0]", None)
        if ids is None and embeds is None:
            embeds = states  # what is left of the prompt is its rows and its width
    if ids is None:
        ids = _start(embeds, config)
    tokens = matrix_of_ids(ids, "input_ids")
    if tokens.numel() and (tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool):
        raise GenerationError(f"input_ids is {tokens.dtype}; whole numbers are needed")
    tokens = tokens.to(device, torch.long)
    vectors = embeds if read_already is None else states
    if vectors is not None and vectors.shape[0] != tokens.shape[0]:
        name = "inputs_embeds" if read_already is None else "encoder_outputs"
        raise GenerationError(
            f"input_ids has {tokens.shape[0]} rows, and {name} {vectors.shape[0]}: give a row for each "
            "prompt in both, or one of the two"
        )
    if embeds is not None and tokens.shape[1] not in (0, embeds.shape[1]):
        raise GenerationError(
            f"input_ids {tuple(tokens.shape)} and inputs_embeds {tuple(embeds.shape)} differ in length: give one"
        )
    prompt = Prompt(tokens, None, rest, embeds)
    if prompt.rows == 0 or prompt.width == 0:
        raise GenerationError(
            f"the prompt is empty: input_ids has shape {tuple(tokens.shape)}; give at least one token"
        )
    check_ids(tokens, vocabulary_of(model))
    continued = not model.config.is_encoder_decoder
    read = _mask(mask, tokens, config, device, leading_only=continued)
    cached = 0 if read is not None and read.shape[1] > prompt.width else remembered
    if cached >= prompt.width:
        raise GenerationError(
            f"past_key_values holds {cached} positions and the prompt has {prompt.width}: give the whole conversation, "
            "or the new tokens with an attention_mask over the old and the new"
        )
    if read is not None:
        _check_mask(read, prompt, remembered)
        if continued:
            _check_last(read)
        read = None if bool(read.all()) else read
    _check_length(prompt, read, model.config)
    return Prompt(tokens, read, rest, embeds, cached)


def _check_vectors(given: Any, name: str, width: int | None) -> None:
    """Refuse what is no (B, P, D) of floats, D `width` where that is known."""
    right = isinstance(given, Tensor) and given.dim() == 3 and given.is_floating_point()
    if not right or width not in (None, given.shape[2]):
        found = f"{given.dtype} {tuple(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
        raise GenerationError(
            f"{name} is {found}: a tensor of floats (rows, positions, {'width' if width is None else width}) is needed"
        )


def _features(name: str, given: Any, mask: Any, rest: dict[str, Any], device: torch.device) -> Prompt:
    """The input of an encoder that reads no ids: sound or images, by the model's main input."""
    if given is not None:
        if rest.get(name) is not None:
            raise GenerationError(f"{name} is given twice: once as inputs, once by its own name")
        rest[name] = given
    features = rest["encoder_outputs"][0] if rest.get("encoder_outputs") is not None else rest.get(name)
    if not isinstance(features, Tensor) or features.dim() < 2 or features.shape[0] == 0:
        raise GenerationError(f"the model reads {name}, a tensor with a row for each item, and there is none: give it")
    if rest.get("encoder_outputs") is None:
        rest[name] = features.to(device)
    if mask is not None:
        rest["attention_mask"] = torch.as_tensor(mask, device=device)
    return Prompt(torch.zeros(features.shape[0], 0, dtype=torch.long, device=device), None, rest)


def check_ids(ids: Tensor, vocabulary: int | None) -> None:
    """Refuse ids that no embedding has.

    Raises:
        GenerationError: names the first such id and its row.
    """
    if vocabulary is None or ids.numel() == 0:
        return
    wrong = (ids < 0) | (ids >= vocabulary)
    if bool(wrong.any()):
        row, column = (int(place) for place in wrong.nonzero()[0])
        raise GenerationError(
            f"token id {int(ids[row, column])} (row {row}, position {column}) is not in the vocabulary of "
            f"{vocabulary} tokens: was another model's tokenizer used?"
        )


def refuse_strange_ends(config: GenerationConfig, named: Collection[str], vocabulary: int | None) -> None:
    """Refuse end and pad tokens that the caller names and no text can hold: it would never end, or could not be read.

    Args:
        named: fields that the caller names; a file's may be of a larger tokenizer.

    Raises:
        GenerationError: names the field and the token.
    """
    pad = () if config.pad_token_id is None else (config.pad_token_id,)
    for name, tokens in (("eos_token_id", config.end_tokens), ("pad_token_id", pad)):
        outside = [token for token in tokens if vocabulary is not None and token >= vocabulary]
        if name in named and outside:
            raise GenerationError(f"{name}={outside} is not in the vocabulary of {vocabulary} tokens")


def context_length(config: Any, *, answer: bool = False) -> int | None:
    """Positions a model was made for, None where its config does not say. Dynamic rotary scaling stretches it.

    Args:
        answer: those of an encoder-decoder's answer, where they are others than its input's.
    """
    text = config.get_text_config()
    positions = getattr(text, "max_position_embeddings", None)
    if answer:
        positions = getattr(text, "max_target_positions", positions)
    scaling = getattr(text, "rope_parameters", None)
    if positions is not None and getattr(scaling, "rope_type", "default") == "dynamic":
        return int(positions * (getattr(scaling, "factor", None) or 1))
    return positions


def _start(embeds: Tensor | None, config: GenerationConfig) -> Tensor | list[list[int]]:
    if embeds is not None:
        return torch.zeros(embeds.shape[0], 0, dtype=torch.long)
    if config.bos_token_id is None:
        raise GenerationError(
            "the prompt is empty: no input_ids are given, and the model has no bos_token_id to start from"
        )
    return [[config.bos_token_id]]


def matrix_of_ids(values: Any, name: str) -> Tensor:
    """(B, P) from a tensor or lists; one list is one row."""
    if isinstance(values, str | bytes) or (isinstance(values, list | tuple) and values and isinstance(values[0], str)):
        raise GenerationError(
            f"{name} is text ({values!r:.60}); token ids are needed: "
            "model.generate(**tokenizer(text, return_tensors='pt'))"
        )
    try:
        found = torch.as_tensor(values)
    except (TypeError, ValueError) as error:
        raise GenerationError(
            f"{name} is not a rectangle of numbers ({error}): pad the prompts to one length, on the left"
        ) from error
    if found.dim() == 1:
        found = found[None]
    if found.dim() != 2:
        raise GenerationError(f"{name} has shape {tuple(found.shape)}; (rows, positions) is needed")
    return found


def vocabulary_of(model: Any) -> int | None:
    """Number of token ids that the model reads, None where it cannot be known."""
    weight = getattr(model.get_input_embeddings(), "num_embeddings", None)
    return int(weight) if weight is not None else getattr(model.config.get_text_config(), "vocab_size", None)


def _mask(
    mask: Any, ids: Tensor, config: GenerationConfig, device: torch.device, *, leading_only: bool
) -> Tensor | None:
    """The mask given, or one that hides pad tokens (only those before a prompt, if asked), where there are any."""
    if mask is not None:
        return (matrix_of_ids(mask, "attention_mask").to(device) != 0).long()
    pad = config.pad_token_id
    if pad is None or pad in config.end_tokens:
        return None
    padding = (ids == pad).long()
    if leading_only:
        padding = padding.cumprod(dim=1)
    return 1 - padding if bool(padding.any()) and not bool(padding.all(dim=1).any()) else None


def _check_mask(mask: Tensor, prompt: Prompt, remembered: int) -> None:
    rows, width = prompt.rows, prompt.width
    if mask.shape not in ((rows, width), (rows, width + remembered)):
        raise GenerationError(
            f"attention_mask has shape {tuple(mask.shape)}, and the prompt has {rows} rows of {width} positions"
        )
    empty = (mask.sum(dim=1) == 0).nonzero().flatten().tolist()
    if empty:
        raise GenerationError(f"the prompt is empty in rows {empty}: attention_mask hides every position")


def _check_last(mask: Tensor) -> None:
    right = (mask[:, -1] == 0).nonzero().flatten().tolist()
    if right:
        raise GenerationError(
            f"rows {right} are padded on the right, and text cannot go on behind padding: "
            "set tokenizer.padding_side = 'left'"
        )


def _check_length(prompt: Prompt, mask: Tensor | None, config: Any) -> None:
    limit = context_length(config)
    longest = prompt.width if mask is None else int(mask.sum(dim=1).max())
    if limit is not None and longest > limit:
        raise GenerationError(
            f"the prompt has {longest} tokens, and the model was made for {limit} (max_position_embeddings): shorten it"
        )
