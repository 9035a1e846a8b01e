"""When time stamps may come. Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 4.5.

R rows   P positions so far   V vocabulary
"""

from torch import Tensor

from modelry.generation.processors import LogitsProcessor

NOTHING = float("-inf")


class TimestampRules(LogitsProcessor):
    """Time stamps begin the text, come in pairs, never go back, and come where all together beat the best word.

    Args:
        no_timestamps: the token that forbids them; they are numbered from the next one on.
        end: the token that ends a text; words are before it.
        begin: P of the first token that is written.
        latest_beginning: steps from the beginning of the sound, at most, of the first time stamp.
    """

    def __init__(self, no_timestamps: int, end: int, *, begin: int, latest_beginning: int | None) -> None:
        self.no_timestamps, self.end, self.begin = no_timestamps, end, begin
        self.first = no_timestamps + 1
        self.latest_beginning = latest_beginning

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        scores = scores.clone()
        scores[:, self.no_timestamps] = NOTHING
        for row, written in enumerate(input_ids[:, self.begin :].tolist()):
            stamps = [token for token in written if token >= self.first]
            closes = bool(written) and written[-1] >= self.first
            opens = len(written) < 2 or written[-2] >= self.first
            if closes:
                if opens:
                    scores[row, self.first :] = NOTHING  # a pair is complete: words
                else:
                    scores[row, : self.end] = NOTHING  # one stands alone: its partner, or the end
            if stamps:
                earliest = stamps[-1] if closes and not opens else stamps[-1] + 1
                scores[row, self.first : earliest] = NOTHING
        if input_ids.shape[1] == self.begin:
            scores[:, : self.first] = NOTHING
            if self.latest_beginning is not None:
                scores[:, self.first + self.latest_beginning + 1 :] = NOTHING
        words, times = scores[:, : self.first], scores[:, self.first :]
        stamped = times.float().logsumexp(-1) > words.amax(-1)  # (R,); what makes odds of scores is the same in both
        words.masked_fill_(stamped[:, None], NOTHING)
        return scores
