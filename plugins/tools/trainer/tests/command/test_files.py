"""Settings as YAML 1.2 with their lines, and rows of every kind of file with their places."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry_trainer.command.data.files import read_files
from modelry_trainer.command.data.sources import read_data
from modelry_trainer.command.overrides import read_words, with_overrides
from modelry_trainer.command.settings import WRITING, DataSettings, known_keys
from modelry_trainer.command.yaml_files import read_value, read_yaml
from modelry_trainer.errors import BadRow, TrainFileError
from modelry_trainer.seq2seq import Seq2SeqTrainingArguments, TrainingArguments


def test_yaml_is_version_1_2(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "training:\n  save_strategy: no\n  learning_rate: 1e-4\n  seed: 010\n  bf16: true\ndata: [a, {b: 1}]\n"
    )
    values, lines = read_yaml(file)
    assert values["training"] == {"save_strategy": "no", "learning_rate": 1e-4, "seed": 10, "bf16": True}
    assert lines[("training", "learning_rate")] == 3
    assert lines[("data", "1", "b")] == 6
    assert [read_value(text) for text in ("-1", "0.5", "[a, 2]", "null", "org/name", "{", "in German: ", "- a")] == [
        -1, 0.5, ["a", 2], None, "org/name", "{", "in German: ", "- a",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [ls]", "&a [*a]"])
def test_no_code_and_no_circles(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(f"x: {text}\n")
    with pytest.raises(TrainFileError):
        read_yaml(tmp_path / "a.yaml")


def test_the_command_line_wins() -> None:
    words = [
        "a.yaml",
        "--training.learning_rate",
        "1e-4",
        "--max-steps=-1",
        "--bf16",
        "--model",
        "other",
        "--peft",
        "null",
    ]
    found = list(read_words(words, ["data.columns.text=body"], known_keys()))
    assert found[0] == "a.yaml"
    merged = with_overrides({"model": "some", "peft": {"r": 2}, "training": {"seed": 3}}, found[1:], read_value)
    assert merged == {
        "model": {"ref": "other"},
        "peft": None,
        "training": {"seed": 3, "learning_rate": 1e-4, "max_steps": -1, "bf16": True},
        "data": {"columns": {"text": "body"}},
    }
    assert set(WRITING) == Seq2SeqTrainingArguments.model_fields.keys() - TrainingArguments.model_fields.keys()


ROWS = [{"text": "the inn", "label": "a"}, {"text": "the sea, the sea", "label": "b"}]


def test_every_kind_of_file(tmp_path: Path, write: Callable[..., Path]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    files = [write(tmp_path / "a.jsonl", ROWS), write(tmp_path / "b.json", ROWS)]
    for name, text in (
        ("c.json", '[{"text": "the inn", "label": "a"}, {"text": "the sea, the sea", "label": "b"}]'),
        ("d.csv", 'text,label\nthe inn,a\n"the sea, the sea",b\n'),
        ("e.tsv", "\ufefftext\tlabel\nthe inn\ta\nthe sea, the sea\tb\n"),
    ):
        files.append(tmp_path / name)
        files[-1].write_text(text, encoding="utf-8")
    files.append(tmp_path / "f.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), files[-1])
    table = read_files(files)
    assert list(table.rows) == ROWS * 6
    words = ("a.jsonl, line 2", "b.json, row 2", "c.json, row 2", "d.csv, line 3", "e.tsv, line 3", "f.parquet, row 2")
    assert [table.place(number).rpartition("/")[2] for number in range(1, 12, 2)] == list(words)
    (tmp_path / "g.txt").write_text("the inn\n\nthe sea\n")
    texts = read_files([tmp_path / "g.txt"])
    assert list(texts.rows) == [{"text": "the inn"}, {"text": "the sea"}]
    assert texts.place(1).endswith("g.txt, line 3")


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": }\n', BadRow, "a.jsonl, line 2: this is no JSON"),
        ("a.json", b"{", TrainFileError, "a.json is no JSON"),
        ("a.json", b'{"data": []}', TrainFileError, "a.json holds one dict: a list of rows is needed"),
        ("a.csv", b"a,b\n1,2\n3\n", BadRow, "a.csv, line 3: there are 1 cells under 2 columns"),
        ("a.csv", b'a,b\n1,"2\n', BadRow, "a.csv, line 2: unexpected end of data"),
        ("a.txt", b"\n\n", TrainFileError, "a.txt has no rows"),
        ("a.txt", b"\xff\xfe\n", TrainFileError, "a.txt is no UTF-8 text"),
        ("a.parquet", b"nothing", TrainFileError, "a.parquet is no Parquet"),
        ("a.xml", b"<a/>", TrainFileError, "a.xml is of an unknown kind: write one of .jsonl"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, error: type[Exception], said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=said):
        read_files([tmp_path / name])


def test_which_rows_are_evaluated(tmp_path: Path, write: Callable[..., Path]) -> None:
    write(tmp_path / "a.jsonl", [{"body": str(number)} for number in range(10)])

    def texts(**values: Any) -> list[list[str]]:
        data = DataSettings(train=str(tmp_path), columns={"text": "body"}, **values)
        return [[row["text"] for row in table.rows] for table in read_data(data, {}, pictures=False) if table]

    train, evaluated = texts(eval_fraction=0.3)
    assert sorted(train + evaluated) == [str(number) for number in range(10)]
    assert len(evaluated) == 3
    assert texts(eval_fraction=0.3) == [train, evaluated] != texts(eval_fraction=0.3, seed=1)
    assert texts(max_train_rows=2) == [["0", "1"]]
    with pytest.raises(TrainFileError, match=r"data\.eval_split 'test' is for data sets of the hub"):
        texts(eval_split="test")


def test_a_data_set_of_the_hub(tmp_path: Path, write: Callable[..., Path]) -> None:
    """Its own package loads it (not here: that asks the hub); numbers of classes keep their names."""
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list(
        [{"text": "x", "label": 1}],
        features=datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["no", "yes"])),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_dataset", lambda name, config, split, revision: rows)
        table, _ = read_data(DataSettings(train="org/name", train_split="test"), {}, pictures=False)
        patch.setattr(datasets, "load_dataset", lambda *a, **k: 1 / 0)
        with pytest.raises(TrainFileError, match="as a data set of the hub it cannot be loaded: ZeroDivisionError"):
            read_data(DataSettings(train="org/name"), {}, pictures=False)
    assert table.class_names == {"label": ["no", "yes"]}
    assert table.place(0) == "org/name (test), row 0"
