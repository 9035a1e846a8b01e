"""The running beams of all searches, and how they drive a session.

B prompts   S searches (one for each prompt, or several)   M beams of each   K continuations   R = S · M rows
P positions so far   V vocabulary   Searches of one prompt lie together, and so do the beams of one search.
"""

from typing import Any, final

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.beams.continuations import NEVER, Continuations
from modelry.generation.beams.hypotheses import Hypotheses
from modelry.generation.beams.trail import Trail
from modelry.generation.processors.processor import LogitsProcessor
from modelry.generation.prompt import vocabulary_of
from modelry.generation.session import Session


@final
class RunningBeams:
    """Beams that go on together, one token at a time. Reads the prompts when made.

    Args:
        beams: M; those of a prompt are at most as many as there are texts.
        searches: of each prompt.
        others: score of all beams but the first, while they are the same text as it.
    """

    def __init__(self, session: Session, beams: int, *, searches: int = 1, others: float = NEVER) -> None:
        _refuse_more_than_texts(session, beams * searches)
        self._session, self._beams, self._searches = session, beams, searches
        self._prompts = session.ids.clone()
        device, count = self._prompts.device, session.rows * searches
        self._logits = session.start(copies=searches * beams)[:, -1]  # (R, V)
        self._trail = Trail(room(session), count * beams, device)
        self.live = torch.arange(count, device=device)
        """(S,) the searches that still run, by their first numbers."""
        self.scores = torch.zeros(count, beams, device=device)
        """(S, M) summed log-probabilities."""
        self.scores[:, 1:] = others
        self.length = 0
        """New tokens of each beam."""
        self._may_drop = _rows_may_leave(session)

    @property
    def left(self) -> int:
        """New tokens there is room for still."""
        return room(self._session) - self.length

    @property
    def vocabulary(self) -> int:
        """V."""
        return self._logits.shape[-1]

    def totals(self) -> Tensor:
        """(S, M, V) score of each beam with each token, logits processors applied."""
        scores = self._session.scores(self._logits, normalized=True)
        return scores.view(-1, self._beams, scores.shape[-1]) + self.scores[:, :, None]

    def rows(self, found: Continuations) -> Tensor:
        """(S, K) the row, by its first number, that each continuation continues."""
        return self.live[:, None] * self._beams + found.beams

    def check(self, best: Tensor, searching: Tensor) -> None:
        """Refuse to go on where the best continuation is none.

        Args:
            best: (S,) its score.
            searching: (S,) bool, searches in which that matters.

        Raises:
            GenerationError: it is NaN, or every token is ruled out.
        """
        self._session.check(torch.where(searching, best, 0.0).repeat_interleave(self._beams))

    def ended(self, found: Continuations, *, of: Tensor | None = None) -> Tensor:
        """(S, K) bool: continuations that are finished texts: by a token, a string, a criterion, length or time.

        Args:
            found: (S, K), or (S', K) of the searches at places `of` (S',).
        """
        session = self._session
        if self.left == 1 or session.settings.ends.out_of_time:
            return torch.ones_like(found.beams, dtype=torch.bool)
        rows = self._present(found, of).flatten()
        texts = torch.cat((session.ids[rows], found.tokens.flatten()[:, None]), dim=1)  # (S K, P + 1)
        return session.stops(texts).view(found.beams.shape)

    def advance(self, chosen: Continuations, settled: Tensor | None = None) -> None:
        """Go on with `chosen` (S, M): these are the beams from here on.

        Args:
            settled: (S,) bool, searches that need not be followed: their rows leave, unless something counts on them.
        """
        session = self._session
        present, parents = self._present(chosen), self.rows(chosen)
        if settled is not None and self._may_drop and bool(settled.any()):
            stay = ~settled
            chosen = Continuations(*(one[stay] for one in chosen))
            present, parents, self.live = present[stay], parents[stay], self.live[stay]
        rows, tokens = present.flatten(), chosen.tokens.flatten()
        self._trail.append(self._numbers().flatten(), parents.flatten(), tokens)
        if len(rows) != session.rows or not torch.equal(rows, torch.arange(len(rows), device=rows.device)):
            session.keep(rows)
        session.append(tokens)
        self.scores, self.length = chosen.scores, self.length + 1
        self._logits = session.step(tokens[:, None])[:, -1]

    def finish(self, hypotheses: Hypotheses, count: int, *, pad: int | None = None) -> None:
        """Hand over the `count` best texts of each prompt, best first, with `pad` behind their ends."""
        pad = self._session.settings.pad_token if pad is None else pad
        prompts = self._prompts.shape[0]
        scores, order = hypotheses.scores.view(prompts, -1).sort(dim=1, descending=True, stable=True)
        ends = hypotheses.ends.view(3, prompts, -1).gather(2, order[:, :count].expand(3, -1, -1)).flatten(1)
        lengths, rows, tokens = ends.unbind()
        new, origins = self._trail.trace(lengths, rows, tokens, pad=pad)
        record: dict[str, Any] = {"sequences_scores": scores[:, :count].flatten(), "beam_indices": origins}
        self._session.finish(torch.cat((self._prompts.repeat_interleave(count, dim=0), new), dim=1), **record)

    def _numbers(self) -> Tensor:
        """(S, M) the first numbers of all rows."""
        return self.live[:, None] * self._beams + torch.arange(self._beams, device=self.live.device)

    def _present(self, found: Continuations, of: Tensor | None = None) -> Tensor:
        """(S, K) the present row that each continues."""
        places = torch.arange(len(self.live), device=self.live.device) if of is None else of
        return places[:, None] * self._beams + found.beams


def _refuse_more_than_texts(session: Session, beams: int) -> None:
    vocabulary, new = vocabulary_of(session.model), room(session)
    # Few tokens are compared exactly; nobody has beams enough for the texts of many.
    if vocabulary is not None and new < 64 and beams > vocabulary**new:
        raise GenerationError(
            f"num_beams={beams:,} is more than there are texts: {new} tokens of {vocabulary:,} make "
            f"{vocabulary**new:,}. Lower num_beams"
        )


def room(session: Session) -> int:
    """New tokens there is room for, from the prompts on."""
    return session.settings.ends.max_length - session.prompt_length


def _rows_may_leave(session: Session) -> bool:
    """Whether nothing counts on all rows being there: records of scores, criteria, foreign processors do, and caches
    that are handed over, but those of an answer, which nobody goes on from."""
    settings = session.settings
    ours = all(isinstance(one, LogitsProcessor) for one in settings.processors)
    lasting = session.keeps_rows and not session.model.config.is_encoder_decoder
    return ours and not settings.wanted and not settings.ends.criteria and not lasting
