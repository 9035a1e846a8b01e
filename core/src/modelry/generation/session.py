"""What a decoding strategy sees: rows of text, their next logits, and which are finished.

It hides what kind of model it is, positions, masks and cache. A strategy is a loop:

    logits = session.start()                          # (R, 1, V)
    while True:
        ids = session.scores(logits[:, -1]).argmax(-1)  # (R,)
        session.emit(ids)
        if session.done:
            break
        logits = session.step(ids[:, None])           # (R, 1, V)

R live rows   B prompts   P positions of the text, prompt included   n new positions   V vocabulary
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.foreign_hooks import names_rows
from modelry.generation.choosing import uniform
from modelry.generation.collecting import of_passes, of_tokens
from modelry.generation.endings import Endings, EndRules
from modelry.generation.fitting import refuse_what_cannot_fit
from modelry.generation.generated_output import GenerateOutput
from modelry.generation.input_side import InputSide
from modelry.generation.processors.processor import LogitsProcessor, LogitsProcessorList
from modelry.generation.prompt import check_ids, vocabulary_of
from modelry.generation.seats import Seats
from modelry.generation.streamers import BaseStreamer


@dataclass(kw_only=True)
class Settings:
    """What holds for all rows of a session."""

    ends: EndRules
    pad_token: int = 0
    processors: LogitsProcessorList = field(default_factory=LogitsProcessorList)
    streamer: BaseStreamer | None = None
    generator: torch.Generator | None = None
    wanted: frozenset[str] = frozenset()
    """Among scores, logits, attentions, hidden_states: what to collect."""
    as_record: bool = False
    """Return a GenerateOutput."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What a call gave for its strategy: assistant_model, assistant_tokenizer, tokenizer."""


@final
class Session:
    """One generation: made by generate(), driven by a strategy.

    Args:
        model: for strategies that need its parts; forward passes go through `start` and `step`.
        side: feeds the model.
        ids: (B, P) the prompts.
    """

    def __init__(self, model: Any, side: InputSide, ids: Tensor, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.rows, self.prompt_length = ids.shape
        self.prompts = torch.arange(self.rows, device=ids.device)
        """(R,) which prompt a row continues."""
        self.last = ids[:, -1] if self.prompt_length else ids.new_zeros(self.rows)
        """(R,) the token added last to each row."""
        self.statistics: dict[str, float] = {}
        """What the strategy counts; in the output."""
        self._side, self._length = side, self.prompt_length
        self._tokens = ids.new_full((self.rows, settings.ends.max_length), settings.pad_token)
        self._tokens[:, : self._length] = ids
        self._endings = Endings(settings.ends, self.rows, ids.device)
        self._lengths: list[int] | None = None
        self._seats: Seats | None = None
        self._scored: Tensor | None = None
        self._output: Any = None
        self._of_passes = of_passes(settings.wanted, encoder_decoder=model.config.is_encoder_decoder)
        self.collected: dict[str, list[Any]] = {name: [] for name in (*of_tokens(settings.wanted), *self._of_passes)}
        """What a call asks for beside the text, of each pass; a strategy whose passes are no tokens rewrites it."""
        self._final: dict[str, Any] | None = None
        side.wanted = settings.wanted
        for name in settings.wanted & {"attentions", "hidden_states"}:
            side.flags[f"output_{name}"] = True

    # Reading

    @property
    def ids(self) -> Tensor:
        """(R, P) the text so far. A view: copy what is to last."""
        return self._tokens[:, : self._length]

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self._endings.all or self._final is not None

    @property
    def finished(self) -> Tensor:
        """(R,) bool: rows that have ended."""
        return self._endings.finished

    @property
    def generator(self) -> torch.Generator | None:
        """For every random draw; None is torch's global one."""
        return self.settings.generator

    def random(self, count: int = 1) -> Tensor:
        """(R, count) in [0, 1), for `draw`. Rows that have left take theirs along: leaving changes no text."""
        rows = self.rows if self._seats is None else self._seats.count
        found = uniform(rows * count, self._tokens.device, self.generator).view(rows, count)
        return found if self._seats is None else self._seats.mine(found)

    @property
    def can_rollback(self) -> bool:
        """Whether `rollback` works with this model and cache."""
        return self._side.can_rollback

    @property
    def keeps_rows(self) -> bool:
        """Whether a cache is handed over that holds every row: a record's, or the caller's own."""
        return self.settings.as_record or self._side.lent

    @property
    def cached(self) -> int:
        """Positions that a cache brought by the caller holds: `start` does not read them."""
        return self._side.brought

    @property
    def prompt_mask(self) -> Tensor | None:
        """(R, W) of the positions that rows begin with, 0 at padding; None where nothing is padded.

        W counts an embedded prompt, which is not in the text. Nothing is padded before an encoder-decoder's answer.
        """
        mask = None if self.model.config.is_encoder_decoder else self._side.prompt.mask
        return None if mask is None else mask[self.prompts]

    def sources(self) -> list[list[int]]:
        """The ids that an encoder has read for each row, without padding; empty where there is no such encoder."""
        read = self._side.prompt.real_ids() if self.model.config.is_encoder_decoder else [[]] * self.rows
        return [read[prompt] for prompt in self.prompts.tolist()]

    def hidden_states(self, layer: int = -1) -> Tensor:
        """Hidden states (R, n, D) of the last pass: layer 0 is the embedding, -1 the last, after its norm.

        They are the decoder's where there is an encoder too. Rows are those of that pass: after `start` one for each
        prompt, whatever `copies` was. Without a cache every pass reads all positions again: take the last ones.

        Raises:
            GenerationError: `start` was not told that they are needed, or the model does not give them.
        """
        output = self._output
        found = getattr(output, "decoder_hidden_states", None)
        found = getattr(output, "hidden_states", None) if found is None else found
        if found is None:
            asked = self._side.flags.get("output_hidden_states") and output is not None
            raise GenerationError(
                f"{type(self.model).__name__} gives no hidden states, which the strategy needs"
                if asked
                else "hidden states are kept only after start(hidden_states=True)"
            )
        states: Tensor = found[layer]
        return states

    # The model

    def start(self, copies: int = 1, *, hidden_states: bool = False) -> Tensor:
        """Read the prompts, once each.

        Args:
            copies: rows that go on from each prompt (beams, several sequences); those of one prompt lie together.
            hidden_states: the strategy will ask for them.

        Returns:
            (R, 1, V) logits of the next token, R = B · copies.

        Raises:
            GenerationError: so many rows cannot fit into memory.
        """
        refuse_what_cannot_fit(
            self._tokens.device,
            prompts=self.rows,
            copies=copies,
            length=self.settings.ends.max_length,
            vocabulary=vocabulary_of(self.model),
        )
        if hidden_states:
            self._side.flags["output_hidden_states"] = True
        if self.settings.streamer is not None:
            self.settings.streamer.put(self.ids.repeat_interleave(copies, dim=0).cpu())
        logits = self._read(self._side.prefill())[:, -1:]
        if copies > 1:
            rows = torch.arange(self.rows, device=logits.device).repeat_interleave(copies)
            self.keep(rows)
            logits = logits[rows]
            for name in self._of_passes:
                self.collected[name] = [one and tuple(layer[rows] for layer in one) for one in self.collected[name]]
        return logits

    def step(self, ids: Tensor) -> Tensor:
        """Read new ids (R, n); returns the logits (R, n, V) after each. The text does not change: see `emit`."""
        logits = self._read(self._side.step(ids))
        return logits if logits.shape[1] == ids.shape[1] else logits[:, -ids.shape[1] :]

    def _read(self, output: Any) -> Tensor:
        self._output = output
        for name in self._of_passes:
            self.collected[name].append(getattr(output, name, None))
        logits: Tensor = output.logits.to(self._tokens.device)  # a model may lie on several devices
        return logits

    def keep(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was: reorders, repeats or drops rows, with all that belongs to them."""
        order = (rows := rows.to(self._tokens.device)).tolist()
        self._side.keep(rows)
        self.settings.processors.keep(rows)
        self._endings.keep(order)
        self._tokens, self.prompts, self.last = self._tokens[rows], self.prompts[rows], self.last[rows]
        self._lengths = None if self._lengths is None else [self._lengths[row] for row in order]
        self.rows, self._scored = len(order), None

    def drop_finished(self) -> None:
        """Let finished rows leave the batch, so that they cost nothing more; to be called between `emit` and `step`.

        Their texts come back in the result. They leave when a quarter of the rows has finished, since the others are
        moved together; and never where somebody may count on all of them: `keeps_rows`, criteria and processors that
        are plain functions, hooks that know rows by their places.
        """
        over, settings = self._endings.over, self.settings
        if not self._endings.some or 4 * sum(over) < self.rows or self.keeps_rows:
            return
        own = all(isinstance(one, LogitsProcessor) for one in settings.processors) and not settings.ends.criteria
        if not own or names_rows(self.model):
            return
        live = torch.tensor([row for row, ended in enumerate(over) if not ended], device=self._tokens.device)
        self._seats = self._seats or Seats(self._tokens)
        self._seats.leave(self._tokens, live)
        self.keep(live)

    def rollback(self, count: int | Tensor) -> None:
        """Make the model forget the last positions it read: one count, or (R,) counts. The text does not change.

        Raises:
            ValueError: more than it remembers.
        """
        self._side.rollback(count)

    def companion(self, model: Any, ids: Tensor | None = None) -> "Session":
        """A session of another model beside this one, for drafts: it neither streams nor stops.

        Beside an encoder-decoder it reads the same input, or looks at what this one's encoder says of it.

        Args:
            model: the other model.
            ids: (R, P) its text, unpadded, where its tokenizer is another; None: the prompts of these rows.

        Raises:
            GenerationError: the model cannot draft for this one, or has no embedding for an id.
        """
        text = (self._tokens[:, : self.prompt_length] if ids is None else ids).to(model.device)
        check_ids(text, vocabulary_of(model))
        side = self._side.for_drafts(model, text, self.prompts if ids is None else None)
        ends = EndRules(max_length=text.shape[1] + self.settings.ends.max_length)
        return Session(model, side, text, Settings(ends=ends))

    # The text

    def scores(self, logits: Tensor, ids: Tensor | None = None, *, normalized: bool = False) -> Tensor:
        """Apply the logits processors.

        Args:
            logits: (R, V) of the next token.
            ids: (R, P) the text they follow, where it is not the text so far (drafts).
            normalized: give the processors log-probabilities, for strategies that add scores up (beams).

        Returns:
            (R, V); float32 if anything was applied, else the logits themselves.
        """
        scores = logits.float().log_softmax(dim=-1) if normalized else logits
        settings = self.settings
        if ids is None and "logits" in self.collected:
            self.collected["logits"].append(logits.to(torch.float32, copy=True))  # a processor may write into them
        if settings.processors:
            scores = settings.processors(self.ids if ids is None else ids, scores.float())
        if ids is None:
            if "scores" in self.collected:
                self.collected["scores"].append(scores.float())
            self._scored = scores
        return scores

    def emit(self, ids: Tensor) -> Tensor:
        """Add one token to every row, stream it, and see which rows end. Finished rows get the pad token.

        Args:
            ids: (R,).

        Returns:
            (R,) bool, `finished`.

        Raises:
            GenerationError: the scores the ids were taken from are not numbers, or every token was ruled out.
        """
        if self._scored is not None:
            self.check(self._scored.gather(1, ids[:, None]))
            self._scored = None
        if self._endings.some:
            ids = ids.masked_fill(self.finished, self.settings.pad_token)
        self.append(ids)
        if self.settings.streamer is not None:
            every = ids if self._seats is None else self._seats.spread(ids, self.settings.pad_token)
            self.settings.streamer.put(every.cpu())
        self._endings.after_token(ids.tolist(), self._tokens, self._length, self.collected.get("scores"))
        return self.finished

    def append(self, ids: Tensor) -> None:
        """Add one token (R,) to every row and nothing else, for strategies that end rows themselves (see `stops`)."""
        self._tokens[:, self._length] = ids
        self._length += 1
        self.last = ids

    def emit_spans(self, spans: Sequence[Sequence[int]]) -> Tensor:
        """Add tokens to each row, as many as each has: for strategies that accept drafts. None after a row's end.

        Returns:
            (R,) bool, `finished`. From here on rows differ in length: see `row_ids`.

        Raises:
            GenerationError: several rows, and a streamer.
        """
        streamer, endings = self.settings.streamer, self._endings
        if streamer is not None and self.rows > 1:
            raise GenerationError("rows that advance by different numbers of tokens cannot be streamed together")
        lengths = self._lengths = self._lengths or [self._length] * self.rows
        for row, span in enumerate(spans):
            for token in span:
                if endings.over[row]:
                    break
                self._tokens[row, lengths[row]] = token
                lengths[row] += 1
                if streamer is not None:
                    streamer.put(torch.tensor([token]))
                endings.after_row_token(row, token, self.row_ids(row), None)
        self._length = max(self._length, *lengths)  # rows that have left may be longer
        self.last = torch.stack([self.row_ids(row)[0, -1] for row in range(self.rows)])
        return self.finished

    def row_ids(self, row: int) -> Tensor:
        """(1, P) the text of one row, without what longer rows have behind it."""
        return self._tokens[row : row + 1, : self._length if self._lengths is None else self._lengths[row]]

    def stops(self, ids: Tensor) -> Tensor:
        """(N,) bool: which of any texts (N, P) end with their last token, length and time aside. Changes nothing."""
        return self.settings.ends.stops(ids, self.collected.get("scores"))

    def check(self, chosen: Tensor) -> None:
        """Refuse choices that were made among scores that are no numbers. `emit` does it for what `scores` returned.

        Args:
            chosen: (R, 1) or (R,) score of the token chosen in each row; one that is no finite number tells of NaN or
                of infinity in the row, or that the processors left nothing.

        Raises:
            GenerationError: names the rows that have not ended and hold such a score.
        """
        values = chosen.flatten().tolist()
        wrong = [row for row, value in enumerate(values) if not (math.isfinite(value) or self._endings.over[row])]
        if not wrong:
            return
        rows = wrong if self._seats is None else self._seats.names(wrong)
        where, worst = f"in rows {rows} at position {self._length}", values[wrong[0]]
        ruled_out = self._scored is not None and bool(self._scored[wrong[0]].isneginf().all())
        if worst == -math.inf or (self.settings.processors and ruled_out):
            raise GenerationError(f"every token is ruled out {where}: the logits processors contradict each other")
        raise GenerationError(
            f"the logits are {'NaN' if math.isnan(worst) else 'infinite'} {where}: are the weights damaged, "
            "or is the dtype too narrow for this model? (remove_invalid_values=True hides it)"
        )

    def finish(self, sequences: Tensor, **fields: Any) -> None:
        """For strategies that choose among texts: the result, (N, P), padded, and other fields of GenerateOutput."""
        self._final = {"sequences": sequences, **fields}

    def result(self) -> Tensor | GenerateOutput:
        """What generate() returns: ids (R, P), or a record with what was asked for."""
        tokens = self._tokens if self._seats is None else self._seats.whole(self._tokens)
        chosen = self._final or {"sequences": tokens[:, : self._length]}
        sequences: Tensor = chosen["sequences"].clone()  # outside inference mode: an ordinary tensor
        cache = None
        if self.keeps_rows:
            cache = self._side.cache if self._final is None else self._side.cache_of(self.prompts, len(sequences))
        if not self.settings.as_record:
            return sequences
        record = {name: tuple(found) for name, found in self.collected.items()} | {**self._side.told, **chosen}
        record |= {"sequences": sequences, "past_key_values": cache, "statistics": self.statistics or None}
        return GenerateOutput(**record)
