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
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.generated_output import GenerateOutput
from modelry.generation.input_side import InputSide
from modelry.generation.processors.processor import LogitsProcessorList
from modelry.generation.stop_strings import StopStrings
from modelry.generation.stopping import EosTokenCriteria, StoppingCriteriaList
from modelry.generation.streamers import BaseStreamer


@dataclass(kw_only=True)
class Settings:
    """What holds for all rows of a session."""

    max_length: int
    """Positions at which a row ends, prompt included."""
    end_tokens: tuple[int, ...] = ()
    pad_token: int = 0
    processors: LogitsProcessorList = field(default_factory=LogitsProcessorList)
    criteria: StoppingCriteriaList = field(default_factory=StoppingCriteriaList)
    """The caller's own."""
    stop_strings: StopStrings | None = None
    deadline: float = math.inf
    """time.monotonic() at which all rows end."""
    streamer: BaseStreamer | None = None
    generator: torch.Generator | None = None
    wanted: frozenset[str] = frozenset()
    """Among scores, logits, attentions, hidden_states: what to collect."""
    as_record: bool = False
    """Return a GenerateOutput."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What a call gave for its strategy: assistant_model, assistant_tokenizer, tokenizer, ..."""


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
        self.done = False
        self.finished = torch.zeros(self.rows, dtype=torch.bool, device=ids.device)
        """(R,) rows that have ended."""
        self.last = ids[:, -1] if ids.shape[1] else ids.new_zeros(self.rows)
        """(R,) the token added last to each row."""
        self.statistics: dict[str, float] = {}
        """What the strategy counts; in the output."""
        self._side, self._length = side, self.prompt_length
        self._tokens = ids.new_full((self.rows, settings.max_length), settings.pad_token)
        self._tokens[:, : self._length] = ids
        self._over = [False] * self.rows
        self._ends = frozenset(settings.end_tokens)
        self._lengths: list[int] | None = None
        self._peaks: Tensor | None = None
        self._output: Any = None
        self._collected: dict[str, list[Any]] = {name: [] for name in settings.wanted}
        self._final: dict[str, Any] = {}
        for name in ("attentions", "hidden_states"):
            if name in settings.wanted:
                side.flags[f"output_{name}"] = True

    # Reading

    @property
    def ids(self) -> Tensor:
        """(R, P) the text so far. A view: copy what is to last."""
        return self._tokens[:, : self._length]

    @property
    def generator(self) -> torch.Generator | None:
        """For every random draw; None is torch's global one."""
        return self.settings.generator

    @property
    def can_rollback(self) -> bool:
        """Whether `rollback` works with this model and cache."""
        return self._side.can_rollback

    def hidden_states(self, layer: int = -1) -> Tensor:
        """Hidden states (R, n, D) of the last pass: layer 0 is the embedding, -1 the last, after its norm.

        Raises:
            GenerationError: `start` was not told that they are needed.
        """
        if self._output is None or self._output.hidden_states is None:
            raise GenerationError("hidden states are kept only after start(hidden_states=True)")
        states: Tensor = self._output.hidden_states[layer]
        return states

    # The model

    def start(self, copies: int = 1, *, hidden_states: bool = False) -> Tensor:
        """Read the prompts, once each.

        Args:
            copies: rows that go on from each prompt (beams, several sequences); those of one prompt lie together.
            hidden_states: the strategy will ask for them.

        Returns:
            (R, 1, V) logits of the next token, R = B · copies.
        """
        if hidden_states:
            self._side.flags["output_hidden_states"] = True
        if self.settings.streamer is not None:
            self.settings.streamer.put(self.ids.repeat_interleave(copies, dim=0).cpu())
        logits = self._read(self._side.prefill())[:, -1:]
        if copies > 1:
            rows = torch.arange(self.rows, device=logits.device).repeat_interleave(copies)
            self.keep(rows)
            logits = logits[rows]
        return logits

    def step(self, ids: Tensor) -> Tensor:
        """Read new ids (R, n); returns the logits (R, n, V) after each. The text does not change: see `emit`."""
        return self._read(self._side.step(ids))[:, -ids.shape[1] :]

    def _read(self, output: Any) -> Tensor:
        self._output = output
        for name in ("attentions", "hidden_states"):
            if name in self._collected:
                found = getattr(output, name, None)
                self._collected[name].append(getattr(output, f"decoder_{name}", None) if found is None else found)
        logits: Tensor = output.logits
        return logits

    def keep(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was: reorders, repeats or drops rows, with all that belongs to them."""
        rows = rows.to(self._tokens.device)
        self._side.keep(rows)
        self.settings.processors.keep(rows)
        self._tokens, self.prompts, self.finished = self._tokens[rows], self.prompts[rows], self.finished[rows]
        self.last = self.last[rows]
        order = rows.tolist()
        self._over = [self._over[row] for row in order]
        self._lengths = None if self._lengths is None else [self._lengths[row] for row in order]
        self.rows, self._peaks = len(order), None
        self.done = all(self._over)

    def rollback(self, count: int | Tensor) -> None:
        """Make the model forget the last positions it read: one count, or (R,) counts. The text does not change.

        Raises:
            ValueError: more than it remembers.
        """
        self._side.rollback(count)

    # The text

    def scores(self, logits: Tensor, ids: Tensor | None = None) -> Tensor:
        """Apply the logits processors.

        Args:
            logits: (R, V) of the next token.
            ids: (R, P) the text they follow, where it is not the text so far (drafts).

        Returns:
            (R, V); float32 if anything was applied, else the logits themselves.
        """
        scores = logits
        settings = self.settings
        if settings.processors:
            scores = settings.processors(self.ids if ids is None else ids, logits.float())
        if ids is None:
            if settings.wanted:
                self._collect(logits, scores)
            self._peaks = scores.amax(dim=-1)
        return scores

    def _collect(self, logits: Tensor, scores: Tensor) -> None:
        if "logits" in self._collected:
            self._collected["logits"].append(logits.float())
        if "scores" in self._collected:
            self._collected["scores"].append(scores.float())

    def emit(self, ids: Tensor) -> Tensor:
        """Add one token to every row, stream it, and see which rows end. Finished rows get the pad token.

        Args:
            ids: (R,).

        Returns:
            (R,) bool, `finished`.

        Raises:
            GenerationError: the scores the ids were taken from are not numbers, or every token was ruled out.
        """
        if True in self._over:
            ids = ids.masked_fill(self.finished, self.settings.pad_token)
        self.append(ids)
        if self.settings.streamer is not None:
            self.settings.streamer.put(ids.cpu())
        self._stop(ids.tolist())
        return self.finished

    def append(self, ids: Tensor) -> None:
        """Add one token (R,) to every row and nothing else, for strategies that end rows themselves (see `stops`).

        Raises:
            GenerationError: as `emit`.
        """
        if self._peaks is not None:
            self._check_peaks(self._peaks.tolist())
            self._peaks = None
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
        streamer = self.settings.streamer
        if streamer is not None and self.rows > 1:
            raise GenerationError("rows that advance by different numbers of tokens cannot be streamed together")
        lengths = self._lengths = self._lengths or [self._length] * self.rows
        for row, span in enumerate(spans):
            for token in span:
                if self._over[row]:
                    break
                self._tokens[row, lengths[row]] = token
                lengths[row] += 1
                if streamer is not None:
                    streamer.put(torch.tensor([token]))
                self._over[row] = token in self._ends or lengths[row] >= self.settings.max_length or self._ends_row(row)
        self._length = max(lengths)
        self._note_over()
        return self.finished

    def row_ids(self, row: int) -> Tensor:
        """(1, P) the text of one row, without what longer rows have behind it."""
        return self._tokens[row : row + 1, : self._length if self._lengths is None else self._lengths[row]]

    def stops(self, ids: Tensor) -> Tensor:
        """(N,) bool: which of any texts (N, P) end with their last token, length and time aside. Changes nothing."""
        settings = self.settings
        over = settings.criteria(ids, self._collected.get("scores"))
        if settings.end_tokens:
            over |= torch.as_tensor(EosTokenCriteria(settings.end_tokens)(ids), device=ids.device)
        if settings.stop_strings is not None:
            tails = ids[:, -settings.stop_strings.reach :].tolist()
            over |= torch.tensor([settings.stop_strings.completed_by(tail) for tail in tails], device=ids.device)
        return over

    @property
    def out_of_time(self) -> bool:
        """Whether max_time has passed."""
        return self.settings.deadline < math.inf and time.monotonic() > self.settings.deadline

    def finish(self, sequences: Tensor, **fields: Any) -> None:
        """Say what the result is, for strategies that choose among texts.

        Args:
            sequences: (N, P), padded.
            fields: of GenerateOutput (sequences_scores, beam_indices).
        """
        self._final = {"sequences": sequences, **fields}
        self.done = True

    # Ends

    def _stop(self, chosen: list[int]) -> None:
        """See which rows end with the tokens just added. All on the host: one copy from the device a token."""
        settings, over = self.settings, self._over
        changed = False
        for row, token in enumerate(chosen):
            if token in self._ends and not over[row]:
                over[row] = changed = True
        if settings.stop_strings is not None:
            tails = self._tokens[:, max(0, self._length - settings.stop_strings.reach) : self._length].tolist()
            for row, tail in enumerate(tails):
                if not over[row] and settings.stop_strings.completed_by(tail):
                    over[row] = changed = True
        if settings.criteria:
            verdicts = settings.criteria(self.ids, self._collected.get("scores")).tolist()
            self._over = over = [one or other for one, other in zip(over, verdicts, strict=True)]
            changed = True
        if self._length >= settings.max_length or (settings.deadline < math.inf and self.out_of_time):
            self._over = [True] * self.rows
            changed = True
        if changed:
            self._note_over()

    def _ends_row(self, row: int) -> bool:
        """Whether the text of one row ends, length and end tokens aside."""
        settings = self.settings
        stops = settings.stop_strings
        if stops is not None and stops.completed_by(self.row_ids(row)[0, -stops.reach :].tolist()):
            return True
        if settings.criteria and bool(settings.criteria(self.row_ids(row), self._collected.get("scores")).any()):
            return True
        return self.out_of_time

    def _note_over(self) -> None:
        self.finished = torch.tensor(self._over, device=self._tokens.device)
        self.done = all(self._over)

    def _check_peaks(self, peaks: list[float]) -> None:
        """Refuse rows whose highest score is not a finite number."""
        wrong = [row for row, peak in enumerate(peaks) if not (-math.inf < peak < math.inf or self._over[row])]
        if wrong:
            raise GenerationError(self._what_is_wrong(peaks[wrong[0]], wrong))

    def _what_is_wrong(self, peak: float, rows: list[int]) -> str:
        where = f"in rows {rows} at position {self._length}"
        if peak == -math.inf:
            return f"every token is ruled out {where}: the logits processors contradict each other"
        return (
            f"the logits are {'NaN' if math.isnan(peak) else 'infinite'} {where}: are the weights damaged, "
            "or is the dtype too narrow for this model? (remove_invalid_values=True hides it)"
        )

    # The end

    def result(self) -> Tensor | GenerateOutput:
        """What generate() returns: ids (R, P), or a record with what was asked for."""
        sequences = self._final.pop("sequences", None)
        if sequences is None:
            sequences = self.ids.clone()
        if not self.settings.as_record:
            ids: Tensor = sequences
            return ids
        collected = {name: tuple(found) for name, found in self._collected.items()}
        record = {**collected, **self._final, "statistics": self.statistics or None}
        return GenerateOutput(sequences=sequences, past_key_values=self._side.cache, **record)
