"""What strategies with beams share: running beams, their continuations, finished texts, and the way back to them."""

from modelry.generation.beams.continuations import (
    NEVER,
    Continuations,
    best_continuations,
    drawn_continuations,
    unfinished,
)
from modelry.generation.beams.hypotheses import Hypotheses
from modelry.generation.beams.parameters import BeamParameters
from modelry.generation.beams.ranking import Ranking
from modelry.generation.beams.running import RunningBeams

__all__ = [
    "NEVER",
    "BeamParameters",
    "Continuations",
    "Hypotheses",
    "Ranking",
    "RunningBeams",
    "best_continuations",
    "drawn_continuations",
    "unfinished",
]
