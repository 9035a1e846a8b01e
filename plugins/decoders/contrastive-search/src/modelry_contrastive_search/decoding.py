"""Contrastive search: among the likeliest tokens, the one that is likely and yet unlike all that was said.

Su et al. 2022, https://arxiv.org/abs/2202.06417: a candidate's merit is

    (1 - penalty_alpha) * its probability - penalty_alpha * the greatest cosine of its hidden state with an earlier one

where hidden states are those of the last layer. All candidates of all rows are read in one pass, so a step costs about
one pass over R · K rows; what the pass says after the chosen candidate is what the next step starts from.

R rows   K candidates of each   V vocabulary   D width of a hidden state
"""

from typing import Self

import torch
from pydantic import Field, field_validator

from modelry.errors import GenerationError
from modelry.generation.configuration import GenerationConfig
from modelry.generation.parameters import DecoderParameters
from modelry.generation.prompt import vocabulary_of
from modelry.generation.session import Session
from modelry_contrastive_search.context import Context


class ContrastiveSearchParameters(DecoderParameters):
    """Logits processors act on the scores before candidates are taken."""

    strategy_name = "contrastive-search"

    penalty_alpha: float = Field(0.6, ge=0, le=1, allow_inf_nan=False, description="0: the likeliest token")
    top_k: int = Field(4, ge=2, description="K; the paper takes 3 to 10")
    do_sample: bool = Field(False, description="must be False: nothing is drawn")
    num_beams: int = Field(1, description="must be 1")
    num_return_sequences: int = Field(1, description="must be 1")

    @classmethod
    def from_config(cls, config: GenerationConfig) -> Self:
        """As the interface says; but a top_k that nobody set is 4, not the 50 that suits sampling.

        With 50 the unlikeliest candidates win, because they are the most unlike (SmolLM2-135M then says nonsense).
        """
        return super().from_config(config if "top_k" in config.model_fields_set else config.updated(top_k=4))

    @field_validator("do_sample")
    @classmethod
    def _draws_nothing(cls, value: bool) -> bool:
        if value:
            raise ValueError("contrastive search draws nothing; set do_sample=False, or leave penalty_alpha out")
        return value

    @field_validator("num_beams", "num_return_sequences")
    @classmethod
    def _one_text(cls, value: int) -> int:
        if value != 1:
            raise ValueError("contrastive search finds one text for each prompt; set it to 1")
        return value


def decode(session: Session, parameters: ContrastiveSearchParameters) -> None:
    """Continue every row until all are finished."""
    _check(session, parameters)
    alpha, count = parameters.penalty_alpha, parameters.top_k
    logits = session.start(hidden_states=True)[:, -1]  # (R, V)
    context = Context(session.hidden_states().to(logits.device), session.prompt_mask)
    rows = torch.arange(session.rows, device=logits.device)
    repeated = rows.repeat_interleave(count)  # (R · K,)
    while True:
        scores = session.scores(logits).float()
        best, candidates = scores.topk(count)  # (R, K)
        session.check(best[:, 0])
        probabilities = (best - scores.logsumexp(dim=-1, keepdim=True)).exp()
        # What finished rows remember is what their text has: padding.
        candidates = candidates.masked_fill(session.finished[:, None], session.settings.pad_token)
        session.keep(repeated)
        following = session.step(candidates.view(-1, 1))[:, -1].reshape(*candidates.shape, -1)  # (R, K, V)
        states = session.hidden_states()[:, -1].to(logits.device).reshape(*candidates.shape, -1)  # (R, K, D)
        merits = (1 - alpha) * probabilities - alpha * context.likeness(states)
        # A candidate that a processor ruled out stays out, however unlike the text it is.
        chosen = merits.masked_fill(best.isneginf(), -float("inf")).argmax(dim=-1)  # (R,)
        session.keep(rows * count + chosen)
        session.emit(candidates[rows, chosen])
        if session.done:
            return
        logits = following[rows, chosen]
        context.add(states[rows, chosen])
        live = (~session.finished).nonzero()[:, 0]
        session.drop_finished()
        if session.rows < len(rows):
            logits = logits[live]
            context.keep(live)
            rows = rows[: session.rows]
            repeated = rows.repeat_interleave(count)


def _check(session: Session, parameters: ContrastiveSearchParameters) -> None:
    """Refuse what only the model and the prompt can tell.

    Raises:
        GenerationError: more candidates than tokens, or a cache without the hidden states of what it holds.
    """
    vocabulary = vocabulary_of(session.model)
    if vocabulary is not None and parameters.top_k > vocabulary:
        raise GenerationError(
            f"top_k={parameters.top_k} is more than the {vocabulary} tokens of the vocabulary; usual values of "
            "contrastive search lie between 3 and 10"
        )
    if session.cached:
        raise GenerationError(
            f"past_key_values holds {session.cached} positions, but not their hidden states, with which contrastive "
            "search compares candidates; leave past_key_values out"
        )
