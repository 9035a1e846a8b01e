"""Spans, held against loops over all pairs of tokens."""

import pytest
import torch

from modelry.pipelines.spans import Span, best_spans, probabilities, ranked


@pytest.mark.parametrize("longest", [1, 3, 50])
def test_every_pair(longest: int) -> None:
    generator = torch.Generator().manual_seed(longest)
    starts, ends = torch.rand(2, 9, generator=generator)
    starts[3] = ends[5] = 0
    pairs = [
        (float(starts[i] * ends[j]), i, j)
        for i in range(9)
        for j in range(i, min(i + longest, 9))
        if starts[i] * ends[j] > 0
    ]
    expected = sorted(pairs, reverse=True)
    found = list(best_spans(starts, ends, longest=longest))
    assert [pair[1:] for pair in found] == [pair[1:] for pair in expected]
    assert [pair[0] for pair in found] == pytest.approx([pair[0] for pair in expected])


def test_only_some_tokens_may_be_ends() -> None:
    logits = torch.tensor([1.0, 5.0, 2.0])
    found = probabilities(logits, torch.tensor([True, False, True]))
    torch.testing.assert_close(found[[0, 2]], logits[[0, 2]].softmax(-1))
    assert found[1] == 0


def test_an_answer_of_two_windows_counts_once() -> None:
    spans = [Span(0.2, 0, 3), Span(0.5, 4, 6), Span(0.4, 0, 3)]
    assert ranked(spans, 5) == [spans[1], spans[2]]
    assert ranked(spans, 1) == [spans[1]]
