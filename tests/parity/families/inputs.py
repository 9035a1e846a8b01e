"""Inputs and labels of the kinds that a case names: plain random tensors, the same every time.

B rows   T tokens   C channels   F frames   H, W height and width of a picture   N samples of sound
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Inputs = dict[str, Any]
LENGTHS = (11, 7, 4)
"""Real tokens of each row of a text."""
ANSWERS = 6
"""Tokens on a decoder's side."""
SAMPLES = (1600, 1100, 700)
"""Real samples of each row of sound."""


def variants(case: dict[str, Any]) -> tuple[str, ...]:
    """The ways in which a case's inputs are padded."""
    kind = case.get("inputs", "text")
    if callable(kind):
        return ("whole",)
    return {"text": ("whole", "right", "left"), "encoder-decoder": ("whole", "right")}.get(kind, ("whole",))


def make_inputs(case: dict[str, Any], config: Any, head: str, variant: str) -> Inputs:
    """What both models are given.

    Args:
        config: the reference's.
        head: our name of it.
        variant: one of `variants`.
    """
    kind = case.get("inputs", "text")
    generator = torch.Generator().manual_seed(1)
    if callable(kind):
        return dict(kind(config, head))
    return _KINDS[kind](case, config, head, variant, generator)


def make_labels(case: dict[str, Any], config: Any, head: str, inputs: Inputs) -> Inputs:
    """What the head is trained on; empty where it has no loss."""
    given: Callable[[Any, str], Inputs] | None = case.get("labels")
    if given is not None:
        return dict(given(config, head))
    main = next(iter(inputs.values()))
    rows, width = main.shape[0], main.shape[-1]
    match head:
        case "causal-lm" | "masked-lm":
            labels = inputs["input_ids"].clone()
            labels[:, :2] = -100
            return {"labels": _without_padding(labels, inputs)}
        case "seq2seq-lm":
            return {"labels": inputs["decoder_input_ids"].clone()}
        case "token-classification":
            labels = torch.arange(rows * width).reshape(rows, width) % config.num_labels
            return {"labels": _without_padding(labels, inputs)}
        case "question-answering":
            return {"start_positions": torch.arange(rows) % width, "end_positions": torch.full((rows,), width - 2)}
        case "next-sentence-prediction":
            return {"labels": torch.arange(rows) % 2}
        case "multiple-choice":
            return {"labels": torch.ones(rows, dtype=torch.long)}
        case "sequence-classification" | "image-classification" | "video-classification" | "audio-classification":
            return {"labels": _classes(config, rows)}
    return {}


def _without_padding(labels: Tensor, inputs: Inputs) -> Tensor:
    mask: Tensor | None = inputs.get("attention_mask")
    return labels if mask is None else labels.masked_fill(mask == 0, -100)


def _classes(config: Any, rows: int) -> Tensor:
    count: int = config.num_labels
    if config.problem_type == "multi_label_classification":
        return (torch.arange(rows * count).reshape(rows, count) % 2).float()
    if count == 1:
        return torch.linspace(-1, 1, rows)
    return torch.arange(rows) % count


def _tokens(config: Any, rows: int, length: int, generator: torch.Generator) -> Tensor:
    vocabulary = config.get_text_config().vocab_size
    return torch.randint(3, vocabulary, (rows, length), generator=generator)


def _padded(ids: Tensor, variant: str, config: Any) -> Inputs:
    """Ids whose rows have LENGTHS real tokens, and their mask."""
    if variant == "whole":
        return {"input_ids": ids}
    padding = config.get_text_config().pad_token_id
    mask = torch.zeros_like(ids)
    for row, length in enumerate(LENGTHS):
        mask[row, slice(0, length) if variant == "right" else slice(ids.shape[1] - length, None)] = 1
    return {"input_ids": ids.masked_fill(mask == 0, padding or 0), "attention_mask": mask}


def _text(case: dict[str, Any], config: Any, head: str, variant: str, generator: torch.Generator) -> Inputs:
    inputs = _padded(_tokens(config, len(LENGTHS), max(LENGTHS), generator), variant, config)
    if variant == "left" and case.get("generate"):  # decoders count from the first real token, which only we do unasked
        inputs["position_ids"] = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    if head == "multiple-choice":
        return {name: value[None] for name, value in inputs.items()}
    return inputs


def _encoder_decoder(case: dict[str, Any], config: Any, head: str, variant: str, generator: torch.Generator) -> Inputs:
    inputs = _padded(_tokens(config, len(LENGTHS), max(LENGTHS), generator), variant, config)
    if head not in ("text-encoding", "token-classification"):
        inputs["decoder_input_ids"] = _tokens(config, len(LENGTHS), ANSWERS, generator)
    return inputs


def _sizes(config: Any) -> tuple[int, int, int]:
    """(C, H, W), as the configuration has them."""
    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", 32)
    height, width = (size, size) if isinstance(size, int) else size
    return getattr(vision, "num_channels", 3), height, width


def _image(case: dict[str, Any], config: Any, head: str, variant: str, generator: torch.Generator) -> Inputs:
    return {"pixel_values": torch.randn(2, *_sizes(config), generator=generator)}


def _video(case: dict[str, Any], config: Any, head: str, variant: str, generator: torch.Generator) -> Inputs:
    return {"pixel_values": torch.randn(2, config.num_frames, *_sizes(config), generator=generator)}


def _audio(case: dict[str, Any], config: Any, head: str, variant: str, generator: torch.Generator) -> Inputs:
    sound = torch.randn(len(SAMPLES), max(SAMPLES), generator=generator)
    mask = torch.zeros(sound.shape, dtype=torch.long)
    for row, length in enumerate(SAMPLES):
        mask[row, :length] = 1
    return {"input_values": sound * mask, "attention_mask": mask}


_KINDS: dict[str, Callable[..., Inputs]] = {
    "text": _text,
    "encoder-decoder": _encoder_decoder,
    "image": _image,
    "video": _video,
    "audio": _audio,
}
