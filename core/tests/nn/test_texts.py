"""Which token is of which text, in all the ways that callers say it."""

import pytest
import torch

from modelry.nn.texts import holds_several, numbered_texts

CPU = torch.device("cpu")
POSITIONS = torch.tensor([[0, 1, 2, 0, 1, 0]])
NUMBERS = [[1, 1, 1, 2, 2, 3]]
ENDS = torch.tensor([0, 3, 5, 6], dtype=torch.int32)
ROW = {"shape": (1, 6), "device": CPU}


def test_positions_that_begin_anew() -> None:
    assert numbered_texts(None, POSITIONS, **ROW).tolist() == NUMBERS
    assert numbered_texts(None, POSITIONS + 2, **ROW).tolist() == NUMBERS
    two = torch.tensor([[0, 1, 2, 3, 4, 5], [3, 4, 0, 1, 2, 3]])
    assert numbered_texts(None, two, shape=(2, 6), device=CPU).tolist() == [[1] * 6, [1, 1, 2, 2, 2, 2]]


def test_where_positions_say_nothing_of_texts() -> None:
    mask = torch.ones(1, 6)
    assert numbered_texts(mask, POSITIONS, **ROW) is mask
    assert numbered_texts(None, None, **ROW) is None
    assert numbered_texts(None, torch.arange(6)[None], **ROW) is None
    assert numbered_texts(None, POSITIONS, **ROW, seen=3) is None
    assert numbered_texts(None, POSITIONS.expand(3, 1, 6), **ROW) is None
    assert numbered_texts(None, torch.tensor([[4]]), shape=(1, 1), device=CPU) is None


def test_ends_of_texts() -> None:
    said = {"cu_seq_lens_q": ENDS, "cu_seq_lens_k": ENDS.clone(), "max_length_q": 3, "max_length_k": 3, "other": 1}
    assert numbered_texts(None, None, said, **ROW).tolist() == NUMBERS
    assert said == {"other": 1}, "what layers do not know is taken out"
    padded = torch.tensor([[1, 1, 1, 1, 1, 0]])
    assert numbered_texts(padded, None, {"cu_seq_lens_q": ENDS}, **ROW).tolist() == [[1, 1, 1, 2, 2, 0]]


def test_ends_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="goes from 0 to 6, and the row has 7 positions"):
        numbered_texts(None, None, {"cu_seq_lens_q": ENDS}, shape=(1, 7), device=CPU)
    for more in ({"shape": (2, 6)}, {"shape": (1, 6), "seen": 4}):
        with pytest.raises(ValueError, match="divides one row of new positions"):
            numbered_texts(None, None, {"cu_seq_lens_q": ENDS}, **more, device=CPU)
    with pytest.raises(ValueError, match="cu_seq_lens_k differs"):
        numbered_texts(None, None, {"cu_seq_lens_q": ENDS, "cu_seq_lens_k": ENDS + 1}, **ROW)


def test_several() -> None:
    assert holds_several(torch.tensor(NUMBERS))
    for one in (None, torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool), torch.tensor([[0, 1]])):
        assert not holds_several(one)
