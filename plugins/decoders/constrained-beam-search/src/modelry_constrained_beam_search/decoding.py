"""Constrained beam search: beams are shared out by how much of the demands they have met, and none ends before all are.

A continuation that leaves too little room for what is still needed is not taken, so every text that is returned meets
all demands. Only what is generated counts, not the prompt.

S searches, one for each prompt   M beams   K continuations looked at   V vocabulary
C demands   A letters of the automata
"""

import torch
from torch import Tensor

from modelry.generation import ForcedEOSTokenLogitsProcessor, Session
from modelry.generation.beams import Continuations, Hypotheses, Ranking, RunningBeams
from modelry.generation.beams.running import room
from modelry.generation.prompt import vocabulary_of
from modelry_constrained_beam_search.allocation import in_turns
from modelry_constrained_beam_search.automata import Automata
from modelry_constrained_beam_search.demands import possible_demands, refuse_incomplete, refuse_short
from modelry_constrained_beam_search.parameters import ConstrainedBeamSearchParameters

NOTHING = float("-inf")


def decode(session: Session, parameters: ConstrainedBeamSearchParameters) -> None:
    """Search until no better text that meets the demands can be expected.

    Raises:
        GenerationError: before the model runs: the demands do not fit into the length or the vocabulary. Afterwards:
            there are fewer such texts than were asked for.
    """
    size, ends = parameters.num_beams, session.settings.ends
    ranking = Ranking(
        length_penalty=parameters.length_penalty, early_stopping=parameters.early_stopping, longest=room(session)
    )
    demands = possible_demands(parameters.demands(), ends.end_tokens, vocabulary_of(session.model))
    # A token that is forced to be the last leaves one place less.
    forced = any(isinstance(one, ForcedEOSTokenLogitsProcessor) for one in session.settings.processors)
    automata = Automata(demands, session.ids.device)
    refuse_short(automata.whole, room(session) - forced)
    beams = RunningBeams(session, size, others=NOTHING)
    finished = Hypotheses(len(beams.live), size, ranking, beams.scores.device)
    letters = automata.letters(beams.vocabulary)  # (V,)
    states = automata.start(*beams.scores.shape)  # (S at first, M, C)
    end_tokens = torch.tensor(ends.end_tokens, dtype=torch.long, device=states.device)
    looked_at = size * max(2, 1 + len(ends.end_tokens))
    while True:
        totals = beams.totals()  # (S, M, V)
        now = states[beams.live]  # (S, M, C)
        best = totals.flatten(1).amax(dim=1)
        beams.check(best, ~finished.settled(beams.live) & ~(best.isneginf() & finished.complete[beams.live].any(dim=1)))
        totals = _allowed(totals, now, automata, letters, end_tokens, left=max(0, beams.left - 1 - forced))
        found, after = _candidates(totals, now, automata, letters, count=size + len(ends.end_tokens))
        needed = automata.needed(after)  # (S, K)
        order, turns = in_turns(found.scores, automata.whole - needed)
        order, turns = order[:, :looked_at], turns[:, :looked_at]
        found, needed = found.chosen(order), needed.gather(1, order)
        ended = beams.ended(found)
        final = ended & (needed == 0) & (turns < size) & ~found.scores.isneginf()
        going = found.scores.masked_fill(ended, NOTHING)
        places = going.isneginf().long().argsort(dim=1, stable=True)[:, :size]
        chosen = found._replace(scores=going).chosen(places)  # (S, M)
        states[beams.live] = after.gather(1, order.gather(1, places)[..., None].expand(-1, -1, after.shape[-1]))
        length = beams.length + 1
        finished.offer(beams.live, found.scores, final, length=length, rows=beams.rows(found), tokens=found.tokens)
        finished.close(beams.live, chosen.scores, length=length)
        settled = finished.settled(beams.live)
        if bool(settled.all() | ended.all()):
            refuse_incomplete(finished, parameters.num_return_sequences, out_of_time=ends.out_of_time)
            return beams.finish(finished, parameters.num_return_sequences)
        beams.advance(chosen, settled)


def _allowed(
    totals: Tensor, states: Tensor, automata: Automata, letters: Tensor, end_tokens: Tensor, *, left: int
) -> Tensor:
    """Rule out ends that come too early, and what would need more than the `left` tokens after it.

    Args:
        totals: (S, M, V).
        states: (S, M, C).
    """
    early = automata.needed(states)[..., None] > 0  # (S, M, 1)
    totals = totals.index_fill(2, end_tokens, NOTHING).where(early, totals)
    if left >= automata.whole:
        return totals
    late = automata.needed(automata.after_each_letter(states)) > left  # (S, M, A)
    return totals.masked_fill(late[..., letters], NOTHING)


def _candidates(
    totals: Tensor, states: Tensor, automata: Automata, letters: Tensor, *, count: int
) -> tuple[Continuations, Tensor]:
    """Each beam with every token of the phrases, and with its `count` best others: nothing better is left out.

    Returns:
        (S, K) continuations, K = M · (A - 1 + count), and the states (S, K, C) after them.
    """
    _, size, vocabulary = totals.shape
    inside = totals[..., automata.tokens]  # (S, M, A - 1)
    others = totals.index_fill(2, automata.tokens, NOTHING).topk(min(count, vocabulary))
    scores = torch.cat((inside, others.values), dim=2)
    tokens = torch.cat((automata.tokens.expand_as(inside), others.indices), dim=2)
    beams = torch.arange(size, device=totals.device)[:, None].expand_as(tokens)
    after = automata.after(states[:, :, None], letters[tokens])  # (S, M, K / M, C)
    return Continuations(scores.flatten(1), beams.flatten(1), tokens.flatten(1)), after.flatten(1, 2)
