"""Groups of arguments from a command line, a file, a mapping."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

from modelry import HfArgumentParser, Seq2SeqTrainingArguments, TrainingArguments
from modelry_trainer.errors import ArgumentsError, TrainFileError


@dataclass
class Data:
    path: str = field(metadata={"help": "100 % of it", "aliases": ["-p"]})
    kind: Literal["text", "chat"] = "text"
    rows: Optional[int] = None  # noqa: UP045  as scripts have it
    shuffle: bool = True
    stream: bool = False
    columns: list[str] = field(default_factory=lambda: ["text"])
    options: dict[str, Any] | None = None
    made: int = field(default=0, init=False)


@pytest.fixture
def parser() -> HfArgumentParser:
    return HfArgumentParser((Data, TrainingArguments))


def test_a_command_line(parser: HfArgumentParser) -> None:
    line = (
        '-p a.txt --rows 3 --no-shuffle --stream --columns a b --kind chat --options {"x":1} --output_dir out --fp16 '
        "--learning-rate 1e-4 --report_to none --label_names labels --max_steps 7 --bf16 false --eval_strategy steps "
        '--lr_scheduler_kwargs {"num_cycles":2} --dataloader_pin_memory False --logging_steps 0.5 '
        "--resume_from_checkpoint"
    )
    data, training = parser.parse_args_into_dataclasses(line.split())
    assert data == Data("a.txt", "chat", 3, False, True, ["a", "b"], {"x": 1})
    assert isinstance(training, TrainingArguments)
    assert (training.learning_rate, training.max_steps, training.logging_steps) == (1e-4, 7, 0.5)
    assert (training.bf16, training.fp16, training.dataloader_pin_memory, training.resume_from_checkpoint) == (
        False,
        True,
        False,
        True,
    )
    assert (training.report_to, training.label_names) == ([], ["labels"])
    assert training.lr_scheduler_kwargs == {"num_cycles": 2}
    assert training.model_fields_set >= {"learning_rate"}
    assert training.parallel_mode.value == "not_parallel"
    data, training = parser.parse_args_into_dataclasses(["--path", "b"])
    assert (data, training) == (Data("b"), TrainingArguments())
    assert "100 % of it" in parser.format_help()


def test_what_is_left_over(parser: HfArgumentParser, capsys: pytest.CaptureFixture[str]) -> None:
    *_, rest = parser.parse_args_into_dataclasses(["--path", "b", "--bogus", "1"], return_remaining_strings=True)
    assert rest == ["--bogus", "1"]
    for line, words in (
        ("--path b --bogus 1", "no option --bogus 1"),
        ("", "required"),
        ("-p a --rows x", "'x' is none of int"),
    ):
        with pytest.raises(SystemExit):
            parser.parse_args_into_dataclasses(line.split())
        assert words in capsys.readouterr().err
    parser.add_argument("--own", type=int, default=4)
    *_, own = parser.parse_args_into_dataclasses(["--path", "b"])
    assert own.own == 4
    with pytest.raises(ArgumentsError, match="fp16 and bf16"):
        parser.parse_args_into_dataclasses(["--path", "b", "--fp16", "--bf16"])


def test_files(parser: HfArgumentParser, tmp_path: Path) -> None:
    values = {"path": "b", "learning_rate": 0.5}
    (tmp_path / "a.json").write_text(json.dumps(values))
    (tmp_path / "a.yaml").write_text("path: b\nlearning_rate: 0.5\n")
    for data, training in (
        parser.parse_json_file(tmp_path / "a.json"),
        parser.parse_yaml_file(tmp_path / "a.yaml"),
        parser.parse_dict({**values, "more": 1}, allow_extra_keys=True),
    ):
        assert (data, training.learning_rate) == (Data("b"), 0.5)
    with pytest.raises(ArgumentsError, match="there are no arguments more"):
        parser.parse_dict({**values, "more": 1})
    (tmp_path / "list.json").write_text("[1]")
    for name in ("list.json", "none.json"):
        with pytest.raises(TrainFileError, match=name):
            parser.parse_json_file(tmp_path / name)
    (one,) = HfArgumentParser(Seq2SeqTrainingArguments).parse_args_into_dataclasses(["--predict_with_generate"])
    assert one.predict_with_generate
