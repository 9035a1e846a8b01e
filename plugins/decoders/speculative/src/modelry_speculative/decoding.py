"""Speculative decoding: a draft of several tokens is checked in one pass of the model, and its right beginning kept.

R rows   K drafted tokens   V vocabulary
"""

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from modelry.generation.choosing import draw, likeliest
from modelry.generation.prompt import context_length
from modelry.generation.session import Session
from modelry_speculative.acceptance import draw_with_draft, said
from modelry_speculative.choosing import make_drafter
from modelry_speculative.drafts import Drafts
from modelry_speculative.parameters import SpeculativeParameters
from modelry_speculative.records import Records
from modelry_speculative.texts import DraftedTexts, lengths_of, on_device

_MOST = 60
"""Tokens drafted at most: a sliding window can forget 64 positions, and so long a draft never pays."""


def decode(session: Session, parameters: SpeculativeParameters) -> None:
    """Continue every row until all are finished; rows advance by different numbers of tokens."""
    drafter = make_drafter(session, parameters)
    logits = session.start(copies=parameters.num_return_sequences)  # (R, 1, V)
    scores = session.scores(logits[:, -1])
    session.emit(draw(scores, at=session.random()) if parameters.do_sample else likeliest(scores))
    drafter.start(parameters.num_return_sequences)
    checking = _Checking(session, parameters)
    wanted = parameters.prompt_lookup_num_tokens or parameters.num_assistant_tokens
    adapts = parameters.prompt_lookup_num_tokens is None and parameters.num_assistant_tokens_schedule != "constant"
    while not session.done:
        before, going = session.rows, (~session.finished).nonzero()[:, 0]
        session.drop_finished()
        if session.rows < before:
            drafter.keep(going)
            checking.keep(going)
        live = [not over for over in session.finished.tolist()]
        room = checking.room(live)
        most = min(wanted, _MOST, max(room))
        drafts = drafter.propose(live, most).within(room) if most > 0 else Drafts([[] for _ in live])
        grown = checking.advance(drafts, live)
        drafter.settle(grown)
        if adapts:
            whole = all(len(span) > len(draft) for span, draft in zip(grown, drafts.tokens, strict=True) if span)
            wanted = wanted + 2 if whole else max(1, wanted - 1)
    checking.records.hand_over()


@final
class _Checking:
    """Passes of the model over drafts, and the count of what came of them."""

    def __init__(self, session: Session, parameters: SpeculativeParameters) -> None:
        self.session, self.sampled = session, parameters.do_sample
        self.lengths = lengths_of(session)
        self.context = context_length(session.model.config, answer=session.model.config.is_encoder_decoder)
        text: Any = session.model.config.get_text_config()
        windowed = "sliding_attention" in (getattr(text, "layer_types", None) or ())
        # Forgotten columns stay in the rectangle of a cache: a window would count them, and an encoder-decoder model
        # has no mask for them.
        self.together = windowed or session.model.config.is_encoder_decoder
        session.statistics.update(drafted=0, accepted=0, acceptance_rate=0.0, passes=0, tokens_per_pass=0.0)
        self.said, self.asked = 0, 0
        self.records = Records(session)

    def room(self, live: Sequence[bool]) -> list[int]:
        """Tokens that a draft of each row can have, before maximum length and context; 0 where a row has ended."""
        ends = self.session.settings.ends.max_length
        free = ends if self.context is None else self.context - max(self.lengths)
        return [
            max(0, min(free, ends - length - 1)) if goes_on else 0
            for length, goes_on in zip(self.lengths, live, strict=True)
        ]

    def keep(self, rows: Tensor) -> None:
        """Let the rows be `rows` (R',) of these."""
        self.lengths = [self.lengths[row] for row in rows.tolist()]

    def advance(self, drafts: Drafts, live: Sequence[bool]) -> list[list[int]]:
        """Check drafts in one pass and add what is right to the text; the tokens each row has grown by."""
        session, width = self.session, drafts.width
        filled = [draft + [0] * (width - len(draft)) for draft in drafts.tokens]
        drafted = on_device(filled, session).long()  # (R, K)
        logits = session.step(torch.cat((session.last[:, None], drafted), dim=1))  # (R, K + 1, V)
        check = self._in_turn if session.settings.processors else self._at_once
        spans, chances, scores = check(logits, drafts, drafted, live)
        session.check(torch.tensor(chances))
        if self.together:
            shortest = min(len(span) for span, goes_on in zip(spans, live, strict=True) if goes_on)
            spans = [span[:shortest] for span in spans]
        session.emit_spans(spans)
        lengths = lengths_of(session)
        grown = [span[: new - old] for span, new, old in zip(spans, lengths, self.lengths, strict=True)]
        self.lengths = lengths
        self.records.add(logits, scores, grown)
        self._forget(width + 1, shortest if self.together else None, grown)
        self._count(drafts, grown)
        return grown

    def _forget(self, read: int, together: int | None, grown: Sequence[Sequence[int]]) -> None:
        """Keep in memory, of what was read, all that is text now but its last token."""
        counts = [read - (together or len(tokens)) for tokens in grown]
        self.session.rollback(counts[0] if len(set(counts)) == 1 else torch.tensor(counts))

    def _count(self, drafts: Drafts, grown: Sequence[Sequence[int]]) -> None:
        found = self.session.statistics
        found["passes"] += 1
        for draft, tokens in zip(drafts.tokens, grown, strict=True):
            found["drafted"] += len(draft)
            found["accepted"] += len(said(draft, [*tokens, -1])) - 1
            self.said, self.asked = self.said + len(tokens), self.asked + 1
        found["acceptance_rate"] = found["accepted"] / max(1, found["drafted"])
        found["tokens_per_pass"] = self.said / self.asked

    def _choose(self, scores: Tensor, drafted: Tensor, offered: Tensor, shares: Tensor | None) -> list[list[float]]:
        """Outcomes (N,) of scores (N, V) and their scores, on the host."""
        if self.sampled:
            random = self.session.random(2 * len(scores) // self.session.rows).view(-1, 2)
            chosen = draw_with_draft(scores, drafted, offered, shares, random=random)
        else:
            chosen = likeliest(scores)
        values = scores.gather(1, chosen[:, None])[:, 0]
        # One copy for both: float32 holds every id below 2^24.
        found: list[list[float]] = torch.stack((chosen.float(), values.float())).tolist()
        return found

    def _at_once(
        self, logits: Tensor, drafts: Drafts, drafted: Tensor, live: Sequence[bool]
    ) -> tuple[list[list[int]], list[float], Tensor]:
        """All positions of all rows together, where no processor has to see the text before each."""
        rows, new = logits.shape[:2]
        offered = on_device([[step < len(draft) for step in range(new)] for draft in drafts.tokens], self.session)
        padded = torch.nn.functional.pad(drafted, (0, 1))
        shares = drafts.shares
        if shares is not None:
            shares = torch.nn.functional.pad(shares, (0, 0, 0, 1)).flatten(0, 1)
        tokens, values = self._choose(logits.flatten(0, 1), padded.flatten(), offered.flatten(), shares)
        spans, worst = [], []
        for row in range(rows):
            outcomes = [int(token) for token in tokens[row * new : (row + 1) * new]]
            spans.append(said(drafts.tokens[row], outcomes) if live[row] else [])
            worst.append(_worst(values[row * new : row * new + len(spans[row])]))
        return spans, worst, logits

    def _in_turn(
        self, logits: Tensor, drafts: Drafts, drafted: Tensor, live: Sequence[bool]
    ) -> tuple[list[list[int]], list[float], Tensor]:
        """One length of text after the other, each only for the rows whose drafts have been right so far: what
        processors see is what they would see without drafts.
        """
        rows, new = logits.shape[:2]
        session = self.session
        texts = DraftedTexts(session, self.lengths, new)
        texts.place(drafted)
        padded = torch.nn.functional.pad(drafted, (0, 1))
        every = torch.arange(rows, device=logits.device)
        spans: list[list[int]] = [[] for _ in range(rows)]
        values: list[list[float]] = [[] for _ in range(rows)]
        going = [row for row in range(rows) if live[row]]
        length = min(self.lengths[row] for row in going)
        scored = torch.empty_like(logits, dtype=torch.float32) if "scores" in session.collected else logits
        while going:
            members = [row for row in going if self.lengths[row] + len(spans[row]) == length]
            if members:
                steps = [len(span) if row in members else 0 for row, span in enumerate(spans)]
                at = on_device(steps, self.session)
                scores = texts.scores(logits[every, at], length, members)
                if scored is not logits:
                    here = on_device(members, session)
                    scored[here, at[here]] = scores[here]
                offered = on_device([steps[row] < len(draft) for row, draft in enumerate(drafts.tokens)], self.session)
                shares = None if drafts.shares is None else drafts.shares[every, at.clamp(max=new - 2)]
                tokens, found = self._choose(scores, padded[every, at], offered, shares)
                for row in members:
                    draft, step = drafts.tokens[row], steps[row]
                    spans[row].append(int(tokens[row]))
                    values[row].append(found[row])
                    if step == len(draft) or draft[step] != spans[row][-1]:
                        going.remove(row)
            length += 1
        return spans, [_worst(some) for some in values], scored


def _worst(values: Sequence[float]) -> float:
    """One that is not a finite number, if there is any."""
    return next((value for value in values if not abs(value) < float("inf")), 0.0)
