"""Texts written out from their ends, against texts that were carried along."""

import random

import torch

from modelry.generation.beams.trail import Trail


def test_against_carried_texts():
    choose = random.Random(0)
    rows, steps = 5, 8
    trail = Trail(steps, rows, torch.device("cpu"))
    texts, came = [[] for _ in range(rows)], [[] for _ in range(rows)]
    ends = [(0, 0, 0, [], [])]  # an empty text
    for step in range(steps):
        for row in range(rows):
            token = choose.randrange(100)
            ends.append((step + 1, row, token, [*texts[row], token], [*came[row], row]))
        parents, tokens = [[choose.randrange(limit) for _ in range(rows)] for limit in (rows, 100)]
        trail.append(torch.arange(rows), torch.tensor(parents), torch.tensor(tokens))
        texts = [[*texts[parent], token] for parent, token in zip(parents, tokens, strict=True)]
        came = [[*came[parent], parent] for parent in parents]
    lengths, at, last = torch.tensor([one[:3] for one in ends]).T
    ids, origins = trail.trace(lengths, at, last, pad=-7)
    for row, (length, _, _, text, origin) in enumerate(ends):
        assert ids[row].tolist() == text + [-7] * (steps - length)
        assert origins[row].tolist() == origin + [-1] * (steps - length)


def test_rows_that_left_keep_their_numbers():
    trail = Trail(3, 4, torch.device("cpu"))
    trail.append(torch.arange(4), torch.tensor([0, 0, 2, 2]), torch.tensor([10, 11, 12, 13]))
    trail.append(torch.tensor([2, 3]), torch.tensor([3, 2]), torch.tensor([22, 23]))
    ids, origins = trail.trace(torch.tensor([3, 2]), torch.tensor([2, 1]), torch.tensor([30, 21]), pad=0)
    assert ids.tolist() == [[13, 22, 30], [11, 21, 0]]
    assert origins.tolist() == [[2, 3, 2], [0, 1, -1]]
