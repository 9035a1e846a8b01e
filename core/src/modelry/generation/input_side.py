"""How new ids reach a decoder-only model: cache, padding mask and positions. A strategy never sees this room.

R live rows   n new positions   C columns there is room for   V vocabulary
A column is a place in the cache; a position is what a token counts as. Padding and forgotten tokens make them differ.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.compiling import CompiledStep
from modelry.generation.other_inputs import inputs_of_rows, inputs_of_unread
from modelry.generation.packing import can_pack, lengths_of, read_packed
from modelry.generation.prompt import Prompt
from modelry.inference import PreparedStep, prepared_step
from modelry.nn.autocast import autocast_dtype


class InputSide(ABC):
    """The interface between a session and one kind of model."""

    prompt: Prompt
    """What the model reads first."""
    seen: int
    """Columns the model remembers."""
    flags: dict[str, bool]
    """Arguments of every forward pass (output_hidden_states, ...)."""
    lent: bool = False
    """The cache is the caller's, who wants every row in it afterwards."""
    brought: int = 0
    """Columns that the caller's cache held when it was brought."""
    looks: bool = False
    """The model looks at an encoder's output."""
    wanted: frozenset[str] = frozenset()
    """What a call asks for beside the text; flags may hold what only the strategy needs."""
    told: Mapping[str, Any] = MappingProxyType({})
    """What the record gets of a pass that comes before the text: an encoder's."""
    _model: Any
    _cache: Any
    _prepared: tuple[PreparedStep | None] | None = None

    @abstractmethod
    def prefill(self) -> Any:
        """Read the prompt; the model's output, with the last position's logits (R, 1, V)."""

    @abstractmethod
    def step(self, ids: Tensor) -> Any:
        """Read (R, n) new ids; the model's output, with logits (R, n, V)."""

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was."""

    @abstractmethod
    def rollback(self, count: int | Tensor) -> None:
        """Forget the last columns: one number for all rows, or (R,) numbers."""

    @property
    @abstractmethod
    def can_rollback(self) -> bool:
        """Whether the model can forget at all."""

    @property
    @abstractmethod
    def cache(self) -> Any:
        """What the model remembers, as a later call reads it: column for column the text; None without a cache."""

    def cache_of(self, prompts: Tensor, count: int) -> Any:
        """The same where the texts are not those that the rows hold, but chosen among all that were followed.

        Args:
            prompts: (R,) which prompt each present row continues.
            count: texts, as many of each prompt, those of one prompt together.
        """
        return self.cache

    @abstractmethod
    def for_drafts(self, model: Any, ids: Tensor, rows: Tensor | None) -> "InputSide":
        """What feeds another model, which drafts for this one, with the same.

        Args:
            ids: (R, P) its text, on its device.
            rows: (R,) the prompts that its rows are; None: the text is in another tokenizer, and unpadded.

        Raises:
            GenerationError: it cannot draft for this one.
        """

    def _prepared_step(self) -> PreparedStep | None:
        """The fast way for one new position, found out when it is first asked for."""
        if self._cache is None or self.flags or self.seen == 0 or torch.is_grad_enabled():
            return None
        if autocast_dtype("cpu") is not None:  # products in two dtypes are the model's own forward's business
            return None
        if self._prepared is None:
            self._prepared = (prepared_step(self._model, looks=self.looks),)
        return self._prepared[0]


class DecoderInput(InputSide):
    """Feeds a decoder-only model.

    Where it can, it reads prompts without their padding and has them lie by length in the model: attention then goes
    by neighbours of like length (`modelry.nn.parts`). Everybody else sees them in their own order.

    Args:
        cache: an empty one, or one that holds the beginning of the prompt; None: everything is read anew each time.
        chunk: prompt positions fed at once; None: all.
        lent: the cache is the caller's.
        compiled: runs passes over one new position, where it can.
    """

    def __init__(
        self,
        model: Any,
        prompt: Prompt,
        cache: Any,
        *,
        chunk: int | None = None,
        lent: bool = False,
        compiled: CompiledStep | None = None,
    ) -> None:
        self.flags, self.lent, self._compiled = {}, lent, compiled
        self.seen = self.brought = 0 if cache is None else cache.seen
        self._model, self._cache, self._chunk, self.prompt = model, cache, chunk, prompt
        self._rows = prompt.rows
        self._fed = prompt.ids[:, :0]
        self._embedded = prompt.embeds if cache is None else None
        """(R, P, D) what stands before `_fed` where everything is read anew each time."""
        self._extras = inputs_of_unread(model, prompt.extras, prompt.ids, prompt.cached)
        self._order: Tensor | None = None
        """(R,) the row that lies in each place of the model; None where they are the same."""
        self._places: Tensor | None = None
        """(R,) the place of each row: the inverse."""
        self._mask: Tensor | None = None
        self._holes = math.inf
        """The first column that some row has forgotten, and others remember."""
        room = prompt.width + self.seen + 256
        self._positions = torch.arange(room, device=prompt.ids.device).expand(prompt.rows, room)
        """(R, C) of every column, the future ones included."""
        if prompt.mask is not None:
            self._mask = torch.ones(prompt.rows, room, dtype=torch.long, device=prompt.ids.device)
            self._mask[:, : prompt.mask.shape[1]] = prompt.mask
            self._renumber()

    def prefill(self) -> Any:
        prompt = self.prompt
        if self._cache is not None and self.seen == 0 and not self.flags and can_pack(self._model, prompt):
            lengths = lengths_of(prompt)
            if lengths is not None:
                return self._read_packed(lengths)
        size = prompt.width - prompt.cached
        chunk = size if self._chunk is None or self.flags or self._cache is None else self._chunk
        for begin in range(0, size, chunk):
            new = min(chunk, size - begin)
            part = slice(prompt.cached + begin, prompt.cached + begin + new)
            if prompt.embeds is None:
                output = self._forward(prompt.ids[:, part], None, new, 1)
            else:
                output = self._forward(None, prompt.embeds[:, part], new, 1)
        return output

    def _read_packed(self, lengths: list[int]) -> Any:
        output, order = read_packed(self._model, self.prompt, lengths, self._cache, chunk=self._chunk)
        self.seen = self.prompt.width
        placed = torch.tensor(order, device=self.prompt.ids.device)
        self._lie(placed, placed)
        if self._places is not None:
            output = self._in_order(output)
        if self.lent:
            self._straighten()
        return output

    def step(self, ids: Tensor) -> Any:
        if self._order is None:
            return self._forward(ids, None, ids.shape[1], ids.shape[1])
        return self._in_order(self._forward(ids[self._order], None, ids.shape[1], ids.shape[1]))

    def _in_order(self, output: Any) -> Any:
        """What the model says in its order, in ours."""
        assert self._places is not None
        output.logits = output.logits.index_select(0, self._places.to(output.logits.device))
        return output

    def _lie(self, order: Tensor, kept: Tensor) -> None:
        """Let the model's places hold the rows `order`, and their masks and positions be those of places `kept`."""
        self._rows = order.shape[0]
        straight = bool((order.diff() > 0).all())
        self._order, self._places = (None, None) if straight else (order, order.argsort())
        if self._mask is None:
            self._positions = self._positions[:1].expand(self._rows, -1)
        else:
            self._mask, self._positions = self._mask[kept], self._positions[kept]

    def _straighten(self) -> None:
        """Let the places be the rows."""
        if self._places is not None:
            self._cache.keep(self._places)
            self._lie(torch.arange(self._rows, device=self._places.device), self._places)

    def _forward(self, ids: Tensor | None, embeds: Tensor | None, new: int, wanted: int) -> Any:
        start, end = self.seen, self.seen + new
        if end > self._positions.shape[1]:
            self._grow(end)
        if self._cache is None and ids is not None:
            ids, start = torch.cat((self._fed, ids), dim=1), 0
            self._fed = ids
            if self._embedded is not None:
                embeds, ids = torch.cat((self._embedded, self._model.get_input_embeddings()(ids)), dim=1), None
        extras = self._extras if self._cache is None or self.seen == self.brought else {}
        if embeds is not None:
            extras = {**extras, "inputs_embeds": embeds}
        mask = None if self._mask is None else self._mask[:, :end]
        positions = self._positions[:, start:end]
        shift = getattr(self._cache, "shift", None)  # an architecture's own cache need not know of it
        if self.seen and shift is not None:
            positions = positions + shift

        def forward() -> Any:
            return self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=self._cache is not None,
                logits_to_keep=wanted,
                **self.flags,
                **extras,
            )

        if ids is None or wanted < new or extras or (new > 1 and self._compiled is not None):
            output = forward()
        elif self._compiled is not None and self._compiled.fits:
            output = self._compiled(ids, mask=mask, positions=positions, flags=self.flags)
        else:
            prepared = self._prepared_step()
            output = forward() if prepared is None else prepared(ids, positions, mask, self._cache, forward)
        self.seen = end
        return output

    def for_drafts(self, model: Any, ids: Tensor, rows: Tensor | None) -> InputSide:
        if model.config.is_encoder_decoder:
            raise GenerationError(
                f"{type(model).__name__} is an encoder-decoder model, and {type(self._model).__name__} is none: it "
                "cannot draft for it"
            )
        mask = None
        if rows is not None and self.prompt.mask is not None:  # of an earlier turn, whose ids nobody has, too
            mask = self.prompt.mask[rows, self.prompt.mask.shape[1] - ids.shape[1] :].to(model.device)
        return DecoderInput(model, Prompt(ids, mask), model.make_cache())

    def keep(self, rows: Tensor) -> None:
        order, kept = torch.arange(rows.shape[0], device=rows.device), rows
        if self._places is not None:
            kept, order = self._places[rows].sort(stable=True)  # still by length
        if self._cache is None:
            if self._extras:
                self._extras = inputs_of_rows(self._model, self._extras, self._fed, kept)
            self._fed = self._fed[kept]
            self._embedded = None if self._embedded is None else self._embedded[kept]
        else:
            self._cache.keep(kept)
        self._lie(order, kept)

    @property
    def can_rollback(self) -> bool:
        return self._cache is None or bool(self._cache.can_rollback)

    @property
    def cache(self) -> Any:
        self._straighten()
        if self._cache is not None and self.seen > self._holes:  # columns behind a hole are those of later tokens
            self.rollback(self.seen - int(self._holes))
        return self._cache

    def cache_of(self, prompts: Tensor, count: int) -> Any:
        """What every text begins with: its prompt. Where that cannot be had, None, and a cache that fits nothing."""
        if self._cache is None:
            return None
        numbers, all_prompts = prompts.tolist(), range(self.prompt.rows)
        try:
            if set(numbers) != set(all_prompts):
                raise ValueError(f"of {self.prompt.rows} prompts, {len(set(numbers))} have rows still")
            self.rollback(self.seen - self.brought - (self.prompt.width - self.prompt.cached))
        except ValueError:
            self._cache.keep(prompts[:0])
            return None
        first = torch.tensor([numbers.index(prompt) for prompt in all_prompts], device=prompts.device)
        self.keep(first.repeat_interleave(count // self.prompt.rows))
        return self.cache

    def rollback(self, count: int | Tensor) -> None:
        more: Tensor | None = None
        if isinstance(count, Tensor):
            least = int(count.min())
            more = count.to(self._positions.device) - least
            more = more if self._order is None else more[self._order]
            count = least
        if count:
            if self._cache is not None:
                self._cache.rollback(count)
            self.seen -= count
            self._fed = self._fed[:, : max(0, self._fed.shape[1] - count)]
        if more is not None and bool(more.any()):
            self._hide_last(more)

    def _hide_last(self, counts: Tensor) -> None:
        """Mask the last columns, (R,) of each row: the cache is a rectangle, and what some rows forget stays in it."""
        columns = torch.arange(self._positions.shape[1], device=self._positions.device)
        if self._mask is None:
            self._mask = torch.ones(self._rows, columns.shape[0], dtype=torch.long, device=columns.device)
        self._mask[:, self.seen :] = 1
        self._holes = min(self._holes, self.seen - int(counts.max()))
        hidden = (columns >= self.seen - counts[:, None]) & (columns < self.seen)
        self._mask = self._mask.masked_fill(hidden, 0)
        self._renumber()

    def _renumber(self) -> None:
        assert self._mask is not None
        self._positions = (self._mask.cumsum(dim=1) - 1).clamp_(min=0)

    def _grow(self, columns: int) -> None:
        room = 2 * columns
        if self._mask is None:
            self._positions = torch.arange(room, device=self._positions.device).expand(self._rows, room)
        else:
            more = self._mask.new_ones(self._rows, room - self._mask.shape[1])
            self._mask = torch.cat((self._mask, more), dim=1)
            self._renumber()
