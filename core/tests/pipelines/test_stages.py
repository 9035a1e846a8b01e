"""A task's stages: one item or many, batches, parameters, streams, saving."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from modelry.errors import ParameterError, PreprocessorError
from modelry.pipelines import KeyDataset, Pipeline, plain
from modelry.preprocessing.images.loading import load


class Rows:
    """A data set as torch and others have it: len and getitem, rows that are mappings."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> dict[str, str]:
        self.read.append(index)
        return {"text": self.texts[index]}


def total(text: str) -> float:
    return float(sum(map(ord, text)))


def test_one_item(adder: Pipeline[Any]) -> None:
    assert adder("ab") == {"text": "ab", "sum": total("ab")}


def test_a_list_with_an_uneven_last_batch(adder: Pipeline[Any]) -> None:
    texts = ["a", "bcd", "ef", "ghijk", "l"]
    assert [answer["sum"] for answer in adder(texts, batch_size=2)] == [total(text) for text in texts]
    assert adder.model.batches == [(2, 5), (2, 2), (1, 1)]


def test_pieces_of_like_length_share_a_batch(adder: Pipeline[Any]) -> None:
    texts = ["a bb", "ccc d", "ee fff"]
    answers = adder(texts, batch_size=2, words=True)
    assert [[part["text"] for part in answer] for answer in answers] == [text.split() for text in texts]
    assert adder.model.batches == [(2, 3), (2, 2), (2, 1)]
    adder.model.batches.clear()
    assert [answer["sum"] for answer in adder(iter(["a", "bcd", "ef"]), batch_size=2)] == list(
        map(total, ["a", "bcd", "ef"])
    )
    assert adder.model.batches == [(2, 3), (1, 2)]


def test_a_task_may_have_a_batch_size_of_its_own(adder: Pipeline[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(adder), "default_batch_size", 3)
    assert type(adder)(adder.model).batch_size == 3
    assert type(adder)(adder.model, batch_size=2).batch_size == 2


def test_a_tokenizer_that_is_needed(adder: Pipeline[Any]) -> None:
    with pytest.raises(PreprocessorError, match="add needs a tokenizer: pass tokenizer="):
        adder.needed_tokenizer()


def test_an_empty_list(adder: Pipeline[Any]) -> None:
    assert adder([]) == []


def test_batches_change_nothing(adder: Pipeline[Any]) -> None:
    texts = ["one", "and another", "", "x"]
    assert adder(texts, batch_size=3) == adder(texts)


def test_an_iterator_is_read_as_it_is_worked_on(adder: Pipeline[Any]) -> None:
    taken = []

    def texts() -> Iterator[str]:
        for text in ("a", "b", "c", "d", "e"):
            taken.append(text)
            yield text

    results = adder(texts(), batch_size=2)
    assert taken == []
    assert next(results)["text"] == "a"
    assert taken == ["a", "b"]
    assert [answer["text"] for answer in results] == ["b", "c", "d", "e"]
    with pytest.raises(TypeError, match="length is not known"):
        len(results)


def test_an_endless_iterator(adder: Pipeline[Any]) -> None:
    results = adder("x" for _ in iter(int, 1))
    assert [next(results)["sum"] for _ in range(3)] == [total("x")] * 3


def test_a_data_set_streams_and_has_a_length(adder: Pipeline[Any]) -> None:
    rows = Rows("a", "bb", "c")
    results = adder(KeyDataset(rows, "text"), batch_size=2)
    assert len(results) == 3
    assert next(results)["text"] == "a"
    assert rows.read == [0, 1]
    assert [answer["text"] for answer in results] == ["bb", "c"]


def test_a_torch_dataset(adder: Pipeline[Any]) -> None:
    class Texts(torch.utils.data.Dataset[str]):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> str:
            return "ab"[index]

    assert [answer["text"] for answer in adder(Texts())] == ["a", "b"]


def test_several_pieces_of_an_item_share_batches(adder: Pipeline[Any]) -> None:
    answers = adder(["a b c", "", "d"], words=True, batch_size=2)
    assert [[part["text"] for part in answer] for answer in answers] == [["a", "b", "c"], [], ["d"]]
    assert adder.model.batches == [(2, 1), (2, 1)]


def test_parameters_have_defaults_and_a_call_wins(adder: Pipeline[Any]) -> None:
    twice = type(adder)(adder.model, scale=2.0)
    assert twice("a")["sum"] == 2 * total("a")
    assert twice("a", scale=3)["sum"] == 3 * total("a")
    assert twice("a")["sum"] == 2 * total("a")


def test_an_unknown_parameter_is_refused_with_near_ones(adder: Pipeline[Any]) -> None:
    with pytest.raises(ParameterError, match=r"'add' has no parameter 'scael'. Did you mean 'scale'\?"):
        adder("a", scael=2)
    with pytest.raises(ParameterError, match=r"no parameter 'zzz'. It has: scale, words"):
        type(adder)(adder.model, zzz=1)


def test_an_impossible_parameter_is_refused(adder: Pipeline[Any]) -> None:
    with pytest.raises(ParameterError, match=r"scale: .*found 'much'"):
        adder("a", scale="much")


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "2"])
def test_an_impossible_batch_size_is_refused(adder: Pipeline[Any], size: Any) -> None:
    with pytest.raises(ValueError, match="batch_size is"):
        adder(["a"], batch_size=size)


def test_stream_and_display(adder: Pipeline[Any]) -> None:
    assert "".join(adder.stream("a")) == '{"text": "a", "sum": 97.0}'


def test_the_model_is_in_eval_mode_and_records_no_gradients(adder: Pipeline[Any]) -> None:
    assert not adder.model.training
    adder.model.train()
    assert not type(adder)(adder.model).model.training
    output = adder.compute([adder.preprocess("a", adder.parameters())], adder.parameters())
    assert not output["sum"].requires_grad


def test_save_and_make_again(adder: Pipeline[Any], tmp_path: Path, toys: object) -> None:
    from modelry import pipeline

    adder.save_pretrained(tmp_path)
    assert pipeline("add", model=tmp_path, device="cpu")("abc") == adder("abc")


def test_device_and_dtype(adder: Pipeline[Any]) -> None:
    assert adder.device == torch.device("cpu")
    assert adder.dtype == torch.float32


def test_plain_makes_json(tmp_path: Path) -> None:
    value = {1: torch.arange(2), "path": tmp_path, "deep": [(torch.tensor(1.5), None, True)]}
    assert plain(value) == {"1": [0, 1], "path": str(tmp_path), "deep": [[1.5, None, True]]}


def test_pictures_in_json_are_images_again() -> None:
    picture = Image.new("L", (3, 2), 7)
    (told,) = plain([picture])
    assert load(told, "the picture").tobytes() == bytes([7] * 6)


def test_a_task_that_draws_nothing(adder: Pipeline[Any]) -> None:
    with pytest.raises(ParameterError, match="'add' has nothing to draw"):
        adder.draw(Image.new("L", (3, 2)), adder("a"))
