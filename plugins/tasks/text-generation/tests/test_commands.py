"""`modelry run` and `modelry chat` with a model, in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from modelry import pipeline
from modelry.cli.chat import chat
from modelry.cli.run import run
from modelry.pipelines import Pipeline

SHORT = ["--max-new-tokens", "8", "--temperature", "0", "--set", "min_new_tokens=8", "--device", "cpu"]


def call(command: Any, *arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in (*arguments, *SHORT)], input=stdin)


def new_text(pipe: Pipeline[Any], item: Any) -> str:
    text: str = pipe(item, return_full_text=False)[0]["generated_text"]
    return text


def test_run_streams_the_new_text(pipe: Pipeline[Any], folder: Path) -> None:
    done = call(run, "text-generation", "--model", folder, "the", "fox")
    assert (done.exit_code, done.stdout) == (0, f"{new_text(pipe, 'the')}\n{new_text(pipe, 'fox')}\n")


def test_run_reads_standard_input(pipe: Pipeline[Any], folder: Path) -> None:
    assert call(run, "text-generation", "-m", folder, stdin="the quick\n").stdout == new_text(pipe, "the quick") + "\n"
    lines = call(run, "text-generation", "-m", folder, "-", "--lines", stdin="the\nfox\n").stdout
    assert lines == f"{new_text(pipe, 'the')}\n{new_text(pipe, 'fox')}\n"


def test_run_json(pipe: Pipeline[Any], folder: Path) -> None:
    done = call(run, "text-generation", "-m", folder, "--json", "--batch-size", "2", "the", "a longer line")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [pipe("the"), pipe("a longer line")]


def test_run_json_input(pipe: Pipeline[Any], folder: Path) -> None:
    messages = [{"role": "user", "content": "hello"}]
    done = call(run, "text-generation", "-m", folder, "--json-input", json.dumps(messages))
    assert done.stdout == new_text(pipe, messages) + "\n"


STRATEGIES: dict[str, dict[str, Any]] = {
    "beam-search": {"num_beams": 3},
    "diverse-beam-search": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "constrained-beam-search": {"num_beams": 4, "force_words_ids": [[5, 6]]},
    "contrastive-search": {"penalty_alpha": 0.6, "top_k": 4},
    "dola": {"dola_layers": "low"},
    "speculative": {"prompt_lookup_num_tokens": 3},
    "constrained": {"regex": "[a-c]{8}"},
    "watermark": {"watermarking_config": {"bias": 2.5}},
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_run_with_a_strategy(pipe: Pipeline[Any], folder: Path, strategy: str, named: bool) -> None:
    fields = STRATEGIES[strategy]
    settings = [part for name, value in fields.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    choice = ["--strategy", strategy] if named else []
    done = call(run, "text-generation", "-m", folder, "the quick", *choice, *settings)
    (answer,) = pipe("the quick", return_full_text=False, **fields)
    assert (done.exit_code, done.stdout) == (0, f"{answer['generated_text']}\n"), done.stderr


@pytest.mark.parametrize("way", [["--assistant-model", "{folder}"], ["--set", "assistant_model={folder}"]])
def test_run_with_a_model_that_drafts(pipe: Pipeline[Any], folder: Path, way: list[str]) -> None:
    options = [part.format(folder=folder) for part in way]
    done = call(run, "text-generation", "-m", folder, "the quick", *options)
    assert (done.exit_code, done.stdout) == (0, new_text(pipe, "the quick") + "\n"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["text-generation", "-m", "{folder}", ""], "the prompt is empty"),
        (["text-generation", "-m", "{folder}/nowhere", "x"], "nowhere"),
        (["text-generation", "-m", "{folder}", "x", "--set", "max_new_token=1"], "Did you mean 'max_new_tokens'"),
        (["text-generation", "-m", "{folder}", "x", "--strategy", "no-such"], "no-such"),
        (["text-generation", "-m", "{folder}", "x", "--strategy", "speculative"], "this call names none"),
        (["text-generation", "-m", "{folder}", "x", "--set", "regex=("], "unclosed group"),
        (["text-generation", "-m", "{folder}", "x", "--set", "num_beams=2", "--set", "regex=a"], "without beams"),
        (["text-generation", "-m", "{folder}", "x", "--assistant-model", "{folder}/nowhere"], "nowhere"),
        (["text-generation", "-m", "{folder}", "x", "--dtype", "float31"], "float31"),
        (["no-such-task", "-m", "{folder}", "x"], "no-such-task"),
    ],
)
def test_run_fails_in_one_line(folder: Path, arguments: list[str], told: str) -> None:
    done = call(run, *(argument.format(folder=folder) for argument in arguments))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr


def test_chat_answers_piped_lines_and_remembers(pipe: Pipeline[Any], folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "chat.json"
    done = call(chat, folder, "--system", "Be kind.", stdin=f"hello\nwho\n/save {saved}\n/quit\n")
    assert done.exit_code == 0, done.stderr
    messages = json.loads(saved.read_text(encoding="utf-8"))
    assert [message["role"] for message in messages] == ["system", *["user", "assistant"] * 2]
    assert messages[2]["content"] == new_text(pipe, messages[:2])
    assert messages[4]["content"] == new_text(pipe, messages[:4])
    assert done.stdout == f"{messages[2]['content']}\n{messages[4]['content']}\n"


def test_chat_needs_a_template(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    done = call(chat, tmp_path, stdin="hello\n")
    assert done.exit_code == 1
    assert "has no chat template" in done.stderr


SCHEMES = [
    (["--quantization", "int8"], {"quant_method": "int8"}),
    (
        [
            "--quantization",
            "int4",
            "--quantization-set",
            "group-size=32",
            "--quantization-set",
            "modules_to_not_convert=[]",
        ],
        {"quant_method": "int4", "group_size": 32, "modules_to_not_convert": []},
    ),
]


@pytest.mark.parametrize(("words", "scheme"), SCHEMES, ids=["int8", "int4 with settings"])
@pytest.mark.filterwarnings("ignore:int4. layers")
def test_run_and_chat_with_packed_weights(folder: Path, words: list[str], scheme: dict[str, Any]) -> None:
    options = {"device": "cpu", "do_sample": False, "max_new_tokens": 8, "min_new_tokens": 8}
    packed = pipeline("text-generation", model=folder, model_kwargs={"quantization": scheme}, **options)
    done = call(run, "text-generation", "--model", folder, "the", *words)
    assert (done.exit_code, done.stdout) == (0, f"{new_text(packed, 'the')}\n")
    answer = new_text(packed, [{"role": "user", "content": "hello"}])
    done = call(chat, folder, *words, stdin="hello\n/quit\n")
    assert (done.exit_code, done.stdout) == (0, f"{answer}\n")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--quantization", "int3"], 1, "int3"),
        (["--quantization", "int4", "--quantization-set", "group-size=31"], 1, "group_size"),
        (["--quantization", "int4", "--quantization-set", "groups=31"], 2, "int4 has no parameter --groups; it has "),
        (["--quantization-set", "group-size=32"], 2, "give --quantization SCHEME"),
    ],
)
def test_schemes_that_cannot_be(folder: Path, words: list[str], code: int, told: str) -> None:
    for done in (call(run, "text-generation", "--model", folder, "the", *words), call(chat, folder, *words, stdin="x")):
        assert done.exit_code == code
        assert told in done.stderr
