"""Classifier-free guidance: scores pushed away from what the model says without the prompt.

R rows   V vocabulary. Sanchez et al. 2023, https://arxiv.org/abs/2306.17806.
"""

from typing import Any

import torch
from torch import Tensor

from modelry.generation.input_side import DecoderInput
from modelry.generation.processors.processor import LogitsProcessor
from modelry.generation.prompt import Prompt


class UnbatchedClassifierFreeGuidanceLogitsProcessor(LogitsProcessor):
    """Runs the model a second time on a negative prompt, in step with the text.

    Args:
        guidance_scale: 1 changes nothing, above 1 follows the prompt more.
        model: the model that generates.
        unconditional_ids: (R, P') the negative prompt; None: the last token of the prompt.
        unconditional_attention_mask: (R, P').
        use_cache: remember the negative prompt between tokens.
    """

    def __init__(
        self,
        guidance_scale: float,
        model: Any,
        unconditional_ids: Tensor | None = None,
        unconditional_attention_mask: Tensor | None = None,
        use_cache: bool = True,
    ) -> None:
        self.scale, self.model, self.use_cache = guidance_scale, model, use_cache
        self.ids, self.mask = unconditional_ids, unconditional_attention_mask
        self._side: DecoderInput | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        with_prompt = scores.log_softmax(dim=-1)
        if self.scale == 1:
            return with_prompt
        without = self._logits(input_ids).to(scores.dtype).log_softmax(dim=-1)
        return self.scale * (with_prompt - without) + without

    def keep(self, rows: Tensor) -> None:
        if self._side is not None:
            self._side.keep(rows)
        else:
            self.ids = None if self.ids is None else self.ids[rows]
            self.mask = None if self.mask is None else self.mask[rows]

    def _logits(self, input_ids: Tensor) -> Tensor:
        """(R, V) of the negative prompt followed by what was generated."""
        if self._side is not None:
            logits: Tensor = self._side.step(input_ids[:, -1:]).logits
            return logits[:, -1]
        ids = input_ids[:, -1:] if self.ids is None else self.ids
        cache = self.model.make_cache() if self.use_cache else None
        self._side = DecoderInput(self.model, Prompt(ids, self.mask), cache)
        first: Tensor = self._side.prefill().logits
        return first[:, -1]


class ClassifierFreeGuidanceLogitsProcessor(LogitsProcessor):
    """For batches of 2R rows of which the first half has the prompt and the second has not; returns R rows.

    Raises:
        ValueError: guidance_scale is not above 1; or, at a call, scores are not twice as many rows as ids.
    """

    def __init__(self, guidance_scale: float) -> None:
        if not guidance_scale > 1:
            raise ValueError(f"guidance_scale={guidance_scale} must be above 1")
        self.guidance_scale = guidance_scale

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if scores.shape[0] != 2 * input_ids.shape[0]:
            raise ValueError(
                f"{scores.shape[0]} rows of scores for {input_ids.shape[0]} rows of ids: twice as many are needed"
            )
        with_prompt, without = scores.chunk(2)
        return torch.lerp(without, with_prompt, self.guidance_scale)
