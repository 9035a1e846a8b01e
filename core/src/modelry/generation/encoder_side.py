"""How new ids reach an encoder-decoder model: the encoder runs once, the decoder step by step.

R live rows   S positions of the encoder's input   n new positions of the decoder
"""

from typing import Any

import torch
from torch import Tensor

from modelry.generation.collecting import of_the_encoder
from modelry.generation.input_side import InputSide
from modelry.generation.prompt import Prompt
from modelry.outputs import BaseModelOutput


class EncoderDecoderInput(InputSide):
    """Feeds an encoder-decoder model: one that has get_encoder().

    Args:
        source: the encoder's input: ids, or other inputs (features) in its extras.
        start: (B, P) ids that the decoder begins with.
        cache: the decoder's; None: everything is read anew each time.
    """

    def __init__(self, model: Any, source: Prompt, start: Tensor, cache: Any) -> None:
        self.flags = {}
        self.seen = 0
        self._model, self._cache, self.prompt, self._start = model, cache, source, start
        self._mask = source.mask
        self._encoded: Tensor | None = None
        self._fed = start[:, :0]
        self._sources = torch.arange(source.rows, device=start.device)
        """(R,) the prompt whose answer a row is."""

    def prefill(self) -> Any:
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
        return self.step(self._start)

    def step(self, ids: Tensor) -> Any:
        new = ids.shape[1]
        if self._cache is None:
            ids = torch.cat((self._fed, ids), dim=1)
            self._fed = ids

        def forward() -> Any:
            return self._model(
                encoder_outputs=BaseModelOutput(last_hidden_state=self._encoded),
                attention_mask=self._mask,
                decoder_input_ids=ids,
                past_key_values=self._cache,
                use_cache=self._cache is not None,
                **self.flags,
            )

        prepared = self._prepared_step() if new == 1 else None
        if prepared is None:
            output = forward()
        else:
            positions = torch.full((1, 1), self.seen, device=ids.device)
            output = prepared(ids, positions, self._mask, self._cache, forward)
        self.seen += new
        return output

    def keep(self, rows: Tensor) -> None:
        assert self._encoded is not None
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
