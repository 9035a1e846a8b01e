"""How new ids reach a decoder that looks at an encoder's output: the encoder runs once, the decoder step by step.

B prompts   R live rows   S positions of the encoder's input   D width of its output   n new positions of the decoder
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.collecting import of_the_encoder
from modelry.generation.drafting import arguments_for, as_looked_at, reads_itself, same_inputs
from modelry.generation.input_side import InputSide
from modelry.generation.prompt import Prompt

Encoded = tuple[Tensor, Tensor | None]
"""(B, S, D) an encoder's output, and (B, S), 0 at its padding, or None."""


class EncoderDecoderInput(InputSide):
    """Feeds an encoder-decoder model, one that has get_encoder(), or a decoder that looks at another's encoder.

    Args:
        source: the encoder's input: ids, or other inputs (features) in its extras.
        start: (B, P) ids that the decoder begins with.
        cache: the decoder's; None: everything is read anew each time.
        encoded: gives the output of another's encoder; None: the model's own runs.
        start_mask: (B, P), 0 at padding of the start; None where nothing of it is padded.
    """

    looks = True

    def __init__(
        self,
        model: Any,
        source: Prompt,
        start: Tensor,
        cache: Any,
        *,
        encoded: Callable[[], Encoded] | None = None,
        start_mask: Tensor | None = None,
    ) -> None:
        self.flags = {}
        self.seen = 0
        self._model, self._cache, self.prompt, self._start = model, cache, source, start
        self._given, self._arguments = encoded, arguments_for(model)
        self._mask, self._start_mask = source.mask, start_mask
        """(R, S) of the encoder's input, and (R, P) of what the answer begins with."""
        self._encoded: Tensor | None = None
        self._fed = start[:, :0]
        self._sources = torch.arange(source.rows, device=start.device)
        """(R,) the prompt whose answer a row is."""

    def prefill(self) -> Any:
        if self._given is None:
            self._encode()
        else:
            self._encoded, self._mask = self._given()
        return self.step(self._start)

    def _encode(self) -> None:
        inputs = dict(self.prompt.extras)
        if self.prompt.ids.shape[1]:
            inputs |= {"input_ids": self.prompt.ids, "attention_mask": self._mask}
        elif self.prompt.embeds is not None:
            inputs |= {"inputs_embeds": self.prompt.embeds, "attention_mask": self._mask}
        output, told = inputs.pop("encoder_outputs", None), of_the_encoder(self.wanted)
        if output is None:
            output = self._model.get_encoder()(**inputs, **{f"output_{name}": True for name in told})
            self._encoded = output.last_hidden_state  # (R, S, D)
        else:
            self._encoded = output[0]
        self.told = {f"encoder_{name}": getattr(output, name, None) for name in told}

    def step(self, ids: Tensor) -> Any:
        new = ids.shape[1]
        if self._cache is None:
            ids = torch.cat((self._fed, ids), dim=1)
            self._fed = ids

        padded = {} if self._start_mask is None else {"decoder_attention_mask": self._seen(self._start_mask, new)}

        def forward() -> Any:
            assert self._encoded is not None
            return self._model(
                **self._arguments(ids, self._encoded, self._mask),
                past_key_values=self._cache,
                use_cache=self._cache is not None,
                **self.flags,
                **padded,
            )

        prepared = self._prepared_step() if new == 1 and not padded else None
        if prepared is None:
            output = forward()
        else:
            positions = torch.full((1, 1), self.seen, device=ids.device)
            output = prepared(ids, positions, self._mask, self._cache, forward)
        self.seen += new
        return output

    def _seen(self, start_mask: Tensor, new: int) -> Tensor:
        """(R, positions) of all that the decoder reads or has read: only the start has padding."""
        return torch.nn.functional.pad(start_mask, (0, self.seen + new - start_mask.shape[1]), value=1)

    def keep(self, rows: Tensor) -> None:
        assert self._encoded is not None
        self._start_mask = None if self._start_mask is None else self._start_mask[rows]
        before, self._sources = self._sources, self._sources[rows]
        if not torch.equal(before, self._sources):  # beams change places within one prompt, mostly
            self._encoded = self._encoded[rows]
            self._mask = None if self._mask is None else self._mask[rows]
        if self._cache is None:
            self._fed = self._fed[rows]
        if self._cache is not None:
            self._cache.keep(rows)

    @property
    def can_rollback(self) -> bool:
        return self._cache is None or bool(self._cache.can_rollback)

    @property
    def cache(self) -> Any:
        return self._cache

    def rollback(self, count: int | Tensor) -> None:
        if isinstance(count, Tensor):
            if bool((count != count[0]).any()):
                raise ValueError("the rows of an encoder-decoder model forget equally many positions")
            count = int(count[0])
        if count:
            if self._cache is not None:
                self._cache.rollback(count)
            self.seen -= count
            self._fed = self._fed[:, : self._fed.shape[1] - count]

    def for_drafts(self, model: Any, ids: Tensor, rows: Tensor | None) -> InputSide:
        if rows is None:
            raise GenerationError(f"{type(model).__name__} cannot draft in another tokenizer: there is an encoder too")
        if reads_itself(model, self._model):
            return EncoderDecoderInput(
                model, same_inputs(self.prompt, self._model, model, rows), ids, model.make_cache()
            )
        nothing = Prompt(ids[:, :0], None)
        side = EncoderDecoderInput(
            model, nothing, ids, model.make_cache(), encoded=lambda: self._said(model, rows, look)
        )
        look = as_looked_at(model, self._model)
        return side

    def _said(self, model: Any, prompts: Tensor, look: Callable[[Tensor], Tensor]) -> Encoded:
        """What the encoder says of prompts, (R,), as another model looks at it."""
        assert self._encoded is not None
        sources = self._sources.tolist()
        rows = torch.tensor([sources.index(prompt) for prompt in prompts.tolist()], device=self._sources.device)
        mask = None if self._mask is None else self._mask[rows].to(model.device)
        return look(self._encoded[rows]).to(model.device, model.dtype), mask
