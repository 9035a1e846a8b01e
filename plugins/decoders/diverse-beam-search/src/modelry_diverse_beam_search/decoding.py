"""Diverse beam search: at each step the groups choose one after another, and pay for each token chosen before them.

Vijayakumar et al. 2016, https://arxiv.org/abs/1610.02424, with Hamming diversity: a token's score is lowered by
diversity_penalty times the number of beams of earlier groups that go on with it at this step (at the last step: end
with it). What was paid stays in the score. A group that is settled goes on no more, so it makes nobody pay.

B prompts   G groups   S = B · G searches   M beams of each   K continuations looked at   V vocabulary
"""

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from modelry.generation import Session
from modelry.generation.beams import (
    NEVER,
    BeamParameters,
    Continuations,
    Hypotheses,
    Ranking,
    RunningBeams,
    best_continuations,
    unfinished,
)


class DiverseBeamSearchParameters(BeamParameters):
    """Beams of all groups together are `num_beams`."""

    strategy_name = "diverse-beam-search"

    num_beam_groups: int = Field(1, gt=0, description="groups that choose one after another")
    diversity_penalty: float = Field(0.0, ge=0, allow_inf_nan=False, description="for each earlier use of a token")
    do_sample: bool = Field(False, description="must be False: nothing is drawn")

    @model_validator(mode="after")
    def _groups(self) -> Self:
        if self.do_sample:
            raise ValueError("do_sample=True: groups compare exact scores; set do_sample=False, or num_beam_groups=1")
        if self.num_beams % self.num_beam_groups:
            raise ValueError(f"num_beams={self.num_beams} is not a multiple of num_beam_groups={self.num_beam_groups}")
        if self.num_beam_groups > 1 and not self.diversity_penalty:
            raise ValueError(
                f"diversity_penalty={self.diversity_penalty}: all {self.num_beam_groups} groups would find the same. "
                "Set it above 0; usual values lie between 0.2 and 0.8"
            )
        return self


def decode(session: Session, parameters: DiverseBeamSearchParameters) -> None:
    """Search until no group can be expected to find a better text."""
    groups, ends = parameters.num_beam_groups, session.settings.ends
    size = parameters.num_beams // groups
    ranking = Ranking(
        length_penalty=parameters.length_penalty,
        early_stopping=parameters.early_stopping,
        longest=ends.max_length - session.prompt_length,
    )
    beams = RunningBeams(session, size, searches=groups)
    finished = Hypotheses(len(beams.live), size, ranking, beams.scores.device)
    looked_at = size * max(2, 1 + len(ends.end_tokens))
    while True:
        searching = ~finished.settled(beams.live)
        found, ended, chosen = _in_turn(beams, searching, groups, looked_at, parameters.diversity_penalty)
        beams.check(found.scores[:, 0], searching)
        final = ended.clone()
        final[:, size:] = False
        length = beams.length + 1
        finished.offer(beams.live, found.scores, final, length=length, rows=beams.rows(found), tokens=found.tokens)
        finished.close(beams.live, chosen.scores, length=length)
        settled = finished.settled(beams.live)
        if bool(settled.all() | ended.all()):
            return beams.finish(finished, parameters.num_return_sequences)
        beams.advance(chosen, settled.view(-1, groups).all(dim=1).repeat_interleave(groups))


def _in_turn(
    beams: RunningBeams, searching: Tensor, groups: int, count: int, penalty: float
) -> tuple[Continuations, Tensor, Continuations]:
    """Let one group after another choose.

    Args:
        searching: (S,) bool, the groups that still matter.
        count: K.

    Returns:
        What was looked at (S, K), which of it has ended (S, K), and what goes on (S, M).
    """
    totals = beams.totals()  # (S, M, V)
    searches, size, vocabulary = totals.shape
    by_group = torch.arange(searches, device=totals.device).view(-1, groups).T  # (G, B)
    used = totals.new_zeros(searches // groups, 1, vocabulary)
    found, ended, chosen = [], [], []
    for group in by_group:
        found.append(best_continuations(totals[group] - penalty * used, count))
        ended.append(beams.ended(found[-1], of=group))
        chosen.append(unfinished(found[-1], ended[-1], size))
        avoided = chosen[-1] if beams.left > 1 else Continuations(*(one[:, :size] for one in found[-1]))
        counts = searching[group, None] & (avoided.scores > NEVER / 2)  # (B, M)
        used[:, 0].scatter_add_(1, avoided.tokens, counts.to(used.dtype))
    return _together(found), torch.stack(ended, dim=1).flatten(0, 1), _together(chosen)


def _together(parts: list[Continuations]) -> Continuations:
    """G times (B, K) to (S, K)."""
    return Continuations(*(torch.stack(one, dim=1).flatten(0, 1) for one in zip(*parts, strict=True)))
