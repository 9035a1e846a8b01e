"""Attention in parts equals attention at once; the division into spans is the cheapest there is."""

import itertools
import random

import pytest
import torch

from modelry.nn import masks
from modelry.nn.masks import Mask, causal_mask
from modelry.nn.parts import Stretch, spans, stretches, texts_of
from modelry.nn.sdpa import sdpa_attention

CPU = torch.device("cpu")
HEADS, KV_HEADS, SIZE = 4, 2, 8
LEFT = [[0] * (20 - n) + [1] * n for n in (3, 3, 9, 20)]
RIGHT = [[1] * n + [0] * (20 - n) for n in (3, 20, 9)]
HOLES = [[0, 1, 0, *[1] * 17], [1] * 20, [1, 0, 0, *[1] * 17]]
EMPTY = [[0] * 20, [1] * 20]


def at_once(mask: Mask) -> Mask:
    return Mask(mask.allowed, causal=mask.causal)


def check(padding: list[list[int]], *, new: int, width: int, first: int = 0, window: int | None = None) -> Mask:
    """Compare where the query is real: in parts, and by the whole tensor. Returns the mask."""
    given = torch.tensor(padding)
    rows, end = given.shape
    random_numbers = torch.Generator().manual_seed(0)
    q = torch.randn(rows, HEADS, new, SIZE, generator=random_numbers)
    k, v = (torch.randn(rows, KV_HEADS, width, SIZE, generator=random_numbers) for _ in range(2))
    with torch.inference_mode():
        mask = causal_mask(given, new=new, seen=end - new, first=first, width=width, window=window, device=CPU)
        parts = sdpa_attention(q, k, v, mask, scale=0.3)
        whole = sdpa_attention(q, k, v, at_once(mask), scale=0.3)
    assert parts.isfinite().all()
    real = given[:, end - new :].bool()
    torch.testing.assert_close(parts.transpose(1, 2)[real], whole.transpose(1, 2)[real], rtol=1e-5, atol=1e-5)
    return mask


@pytest.fixture
def eager_to_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every saved position counts."""
    monkeypatch.setattr(masks, "CALL", 1)


@pytest.mark.usefixtures("eager_to_part")
@pytest.mark.parametrize("window", [None, 2, 5, 50])
@pytest.mark.parametrize("padding", [LEFT, RIGHT, HOLES, EMPTY], ids=["left", "right", "holes", "an empty row"])
@pytest.mark.parametrize("new", [20, 17, 5, 1])
def test_parts_are_the_whole(padding: list[list[int]], new: int, window: int | None) -> None:
    width = 20 if new == 20 else 64
    mask = check(padding, new=new, width=width, window=window)
    assert mask.parts is not None or padding is not LEFT


@pytest.mark.usefixtures("eager_to_part")
def test_keys_that_a_window_dropped() -> None:
    check(LEFT, new=1, first=6, width=64, window=9)


def test_a_step_of_short_and_long_rows_reads_each_by_its_own_length() -> None:
    padding = [[0] * 500 + [1] * 12] * 4 + [[1] * 512] * 4
    parts = check(padding, new=1, width=576).parts
    assert parts is not None
    assert [(part.rows, part.keys) for part in parts] == [((0, 4), (500, 12)), ((4, 4), (0, 512))]
    assert all(part.mask.allowed is None for part in parts)


def test_few_positions_are_not_worth_a_second_call() -> None:
    assert check(LEFT, new=1, width=64).parts is None


@pytest.mark.parametrize("window", [None, 3])
def test_texts_in_one_row_see_only_themselves(window: int | None) -> None:
    numbers = torch.tensor([[1] * 5 + [2] * 9 + [3] * 6 + [0] * 2, [4] * 20 + [7, 7]])
    q, k, v = (torch.randn(2, heads, 22, SIZE) for heads in (HEADS, KV_HEADS, KV_HEADS))
    with torch.inference_mode():
        mask = causal_mask(numbers, new=22, window=window, device=CPU)
        mixed = sdpa_attention(q, k, v, mask, scale=0.3)
        whole = sdpa_attention(q, k, v, at_once(mask), scale=0.3)
        for row, begin, end in ((0, 0, 5), (0, 5, 14), (0, 14, 20), (1, 0, 20), (1, 20, 22)):
            alone = [one[row : row + 1, :, begin:end] for one in (q, k, v)]
            expected = sdpa_attention(*alone, causal_mask(new=end - begin, window=window, device=CPU), scale=0.3)
            torch.testing.assert_close(mixed[row : row + 1, :, begin:end], expected, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(whole[row : row + 1, :, begin:end], expected, rtol=1e-5, atol=1e-5)


def test_gradients_take_the_whole_mask() -> None:
    assert causal_mask(torch.tensor(LEFT), new=20, device=CPU).parts is None


def test_stretches() -> None:
    found = stretches(torch.tensor(LEFT + HOLES[:1] + EMPTY[:1]).bool())
    assert found == [
        Stretch((0, 2), 17, 20, True),
        Stretch((2, 1), 11, 20, True),
        Stretch((3, 1), 0, 20, True),
        Stretch((4, 1), 1, 20, False),
        Stretch((5, 1), 0, 0, False),
    ]


def test_spans_cost_least() -> None:
    """Against every division there is."""
    dice = random.Random(0)
    for _ in range(40):
        starts = [dice.randrange(0, 128) for _ in range(6)]
        rows = [dice.randrange(1, 4) for _ in starts]
        found, begin = [], 0
        for start, count in zip(starts, rows, strict=True):
            found.append(Stretch((begin, count), start, 128, True))
            begin += count

        def cost(bounds: tuple[int, ...], starts: list[int] = starts, rows: list[int] = rows) -> int:
            return sum(
                40 + sum(rows[a:b]) * (128 - min(starts[a:b])) for a, b in itertools.pairwise((0, *bounds, len(rows)))
            )

        divisions = (chosen for n in range(6) for chosen in itertools.combinations(range(1, 6), n))
        together = list(spans(found, end=128, call=40))
        assert sum(40 + one.rows[1] * (128 - one.start) for one in together) == min(map(cost, divisions))
        assert sum(one.rows[1] for one in together) == sum(rows)
        assert all(one.whole == (one.start == max(starts[a] for a in _inside(one, found))) for one in together)


def _inside(one: Stretch, found: list[Stretch]) -> list[int]:
    first, count = one.rows
    return [index for index, other in enumerate(found) if first <= other.rows[0] < first + count]


def test_texts_of() -> None:
    assert list(texts_of(torch.tensor([[0, 1, 1, 2], [5, 5, 0, 5]]))) == [(0, 1, 2), (0, 3, 1), (1, 0, 2), (1, 3, 1)]


def test_gradients_of_texts_in_rows() -> None:
    """The texts of a row, padding between and behind them, as parts and by the whole table."""
    numbers = torch.tensor([[1, 1, 1, 0, 2, 2, 0], [3, 4, 4, 4, 4, 4, 4]])
    shapes = ((2, HEADS, 7, SIZE), (2, KV_HEADS, 7, SIZE), (2, KV_HEADS, 7, SIZE))
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes)
    mask = causal_mask(numbers, new=7, device=CPU)
    assert mask.parts is not None
    assert mask.allowed is not None
    found = sdpa_attention(q, k, v, mask, scale=0.3)
    wanted = sdpa_attention(q, k, v, at_once(mask), scale=0.3)
    real = numbers.bool()
    weights = torch.randn(int(real.sum()), HEADS, SIZE, generator=generator)
    gradients = []
    for mixed in (found, wanted):
        kept = mixed.transpose(1, 2)[real]
        gradients.append(torch.autograd.grad((kept * weights).sum(), (q, k, v)))
    torch.testing.assert_close(found.transpose(1, 2)[real], wanted.transpose(1, 2)[real])
    torch.testing.assert_close(gradients[0], gradients[1])
