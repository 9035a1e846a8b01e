"""Weight tables read and write, and the one undoes the other, bit by bit."""

import pytest
import torch
from torch import Tensor

from modelry.checkpoint.weight_table import Former, Ignore, Rename, Row, Split, Stack, Transpose, WeightTable
from modelry.errors import CheckpointError

TABLE = WeightTable(
    Rename("wte.weight", "embed.weight"),
    Transpose("h.{i}.fc.weight", "layers.{i}.up.weight"),
    Split("h.{i}.qkv.weight", ("layers.{i}.q.weight", "layers.{i}.k.weight"), sizes=(4, 2), transposed=True),
    Split("h.{i}.qkv.bias", ("layers.{i}.q.bias", "layers.{i}.k.bias")),
    Stack("h.{i}.expert.{e}.w", "layers.{i}.experts", number="e"),
    Ignore("h.{i}.masked_bias"),
)


def stored() -> dict[str, Tensor]:
    torch.manual_seed(0)
    tensors = {"wte.weight": torch.randn(5, 3), "untouched.weight": torch.randn(2)}
    for i in (0, 11):
        tensors |= {
            f"h.{i}.fc.weight": torch.randn(3, 7),
            f"h.{i}.qkv.weight": torch.randn(3, 6),
            f"h.{i}.qkv.bias": torch.randn(6),
            f"h.{i}.masked_bias": torch.randn(1),
            **{f"h.{i}.expert.{e}.w": torch.randn(2, 2) for e in range(12)},
        }
    return tensors


def read(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for step in TABLE.reading(tensors):
        out.update(zip(step.ours, step.row.read([tensors[name] for name in step.stored]), strict=True))
    return out


def write(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for step in TABLE.writing(tensors, {name: len(tensor) for name, tensor in tensors.items()}):
        out.update(zip(step.stored, step.row.write([tensors[name] for name in step.ours]), strict=True))
    return out


def test_reading() -> None:
    before, after = stored(), read(stored())
    assert after["embed.weight"].equal(before["wte.weight"])
    assert after["untouched.weight"].equal(before["untouched.weight"])
    assert after["layers.11.up.weight"].equal(before["h.11.fc.weight"].T)
    assert after["layers.0.q.weight"].equal(before["h.0.qkv.weight"].T[:4])
    assert after["layers.0.k.weight"].equal(before["h.0.qkv.weight"].T[4:])
    assert after["layers.0.k.bias"].equal(before["h.0.qkv.bias"][3:])
    assert after["layers.0.experts"][10].equal(before["h.0.expert.10.w"]), "ten comes after nine, not after one"
    assert not any("masked" in name for name in after)


def test_writing_undoes_reading() -> None:
    before = {name: tensor for name, tensor in stored().items() if "masked" not in name}
    after = write(read(before))
    assert set(after) == set(before)
    assert all(after[name].equal(before[name]) for name in before)


def test_reading_undoes_writing() -> None:
    ours = read(stored())
    again = read(write(ours))
    assert set(again) == set(ours)
    assert all(again[name].equal(ours[name]) for name in ours)


def test_a_table_inside_another_model() -> None:
    class Sizes:
        large, small = 4, 2

    table = WeightTable(Split("qkv.{i}", ("q.{i}", "k.{i}"), sizes=("large", "small"))).under("model.", Sizes)
    (step,) = table.reading(["model.qkv.3"])
    assert step.ours == ("model.q.3", "model.k.3")
    assert [part.shape[0] for part in step.row.read([torch.zeros(6)])] == [4, 2]


def test_an_incomplete_group_is_an_error() -> None:
    tensors = stored()
    del tensors["h.0.expert.5.w"]
    with pytest.raises(CheckpointError, match=r"h\.0\.expert\.5\.w"):
        TABLE.reading(tensors)
    ours = read(stored())
    del ours["layers.0.k.bias"]
    with pytest.raises(CheckpointError, match=r"without layers\.0\.k\.bias"):
        TABLE.writing(ours, {name: len(tensor) for name, tensor in ours.items()})


def test_wrong_sizes_are_an_error() -> None:
    with pytest.raises(CheckpointError, match=r"has length 7 along 0; \[4, 2\] are"):
        Split("a", ("b", "c"), sizes=(4, 2)).read([torch.zeros(7)])


@pytest.mark.parametrize(
    "rows",
    [
        (Rename("a", "b"), Rename("a", "c")),
        (Rename("a.{i}", "x.{i}"), Ignore("a.{j}")),
        (Rename("a", "c"), Rename("b", "c")),
        (Rename("a.{i}", "b.{j}"),),
        (Rename("a.{i}", "b"),),
    ],
)
def test_tables_that_contradict_themselves(rows: tuple[Rename, ...]) -> None:
    with pytest.raises(ValueError, match=r"two rows|different letters"):
        WeightTable(*rows)


def test_a_part_of_any_family_is_renamed_as_a_whole() -> None:
    table = WeightTable(
        Rename("text.head", "head"), Former("old.{rest}", "new.{rest}"), Rename("text.{rest}", "new.{rest}")
    )
    stored = ["old.a.0.b", "text.head", "text.layers.3.c", "other"]
    read = {step.stored[0]: step.ours[0] for step in table.reading(stored)}
    assert read == {
        "old.a.0.b": "new.a.0.b",
        "text.head": "head",
        "text.layers.3.c": "new.layers.3.c",
        "other": "other",
    }
    written = {step.ours[0]: step.stored[0] for step in table.writing(["head", "new.layers.3.c", "other"])}
    assert written == {"head": "text.head", "new.layers.3.c": "text.layers.3.c", "other": "other"}


@pytest.mark.parametrize(
    "row",
    [
        Rename("a", "b"),
        Transpose("a", "b"),
        Split("a", ("b", "c"), sizes=(2, 4)),
        Split("a", ("b", "c", "d"), transposed=True),
    ],
    ids=lambda row: type(row).__name__,
)
def test_views_are_what_is_read_without_reading(row: Row) -> None:
    stored = torch.arange(36.0).view(6, 6)
    read, views = row.read([stored]), row.views([stored])
    assert len(read) == len(views)
    for one, view in zip(read, views, strict=True):
        assert torch.equal(one, view)
        assert view.untyped_storage().data_ptr() == stored.untyped_storage().data_ptr()


def test_what_is_packed_lies_as_its_layer_has_it() -> None:
    """Rows of scales belong to it, and four bits in a byte have no columns that could be transposed."""
    ours = ("layers.0.up.weight", "layers.0.q.weight", "layers.0.k.weight", "layers.0.k.bias", "layers.0.q.bias")
    steps = TABLE.writing(ours, packed={"layers.0.up.weight", "layers.0.k.weight"})
    assert [(step.stored, step.ours) for step in steps] == [
        (("h.0.qkv.bias",), ("layers.0.q.bias", "layers.0.k.bias")),
        (("layers.0.k.weight",), ("layers.0.k.weight",)),
        (("layers.0.q.weight",), ("layers.0.q.weight",)),
        (("h.0.fc.weight",), ("layers.0.up.weight",)),
    ]
    beside = TABLE.writing(["layers.0.q.weight", "layers.0.k.qweight"], packed={"layers.0.k.qweight"})
    assert [step.stored for step in beside] == [("layers.0.k.qweight",), ("layers.0.q.weight",)]
    weight = torch.randn(3, 1)
    for step in (steps[1], steps[3], TABLE.reading(["h.0.fc.weight"], packed={"layers.0.up.weight"})[0]):
        assert step.row.read([weight])[0] is step.row.write([weight])[0] is weight
