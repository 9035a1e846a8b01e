"""What is wrong is said in one sentence with its place, before a model is loaded: exit code 2."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

USER, ASSISTANT = {"role": "user", "content": "the inn?"}, {"role": "assistant", "content": "by the sea"}


def one_line(result: Any) -> str:
    assert result.exit_code == 2, result.output
    (line,) = [one for one in result.stderr.splitlines() if one.startswith("Error: ")]
    return str(line)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task: chat\nmodel: {ref: x\n", "config.yaml, line 3: this is no YAML"),
        ("task: chat\ntask: chat\n", "config.yaml, line 2: task stands in line 1 already"),
        ("- task\n", "config.yaml holds a list; sections (model:, data:, training:) are needed"),
        ("task: chat\n", "config.yaml: model is missing; config.yaml: data is missing"),
        ("task: chats\nmodel: x\ndata: x.jsonl\n", "config.yaml, line 1: task 'chats' cannot be trained from"),
        ("task: chat\nmodel: x\ndata:\n  trian: x\n", "config.yaml, line 3: data.train is missing; config.yaml, "
         "line 4: there is no key data.trian: did you mean train?"),
        ("task: chat\nmodel: {ref: x, learning_rate: 1}\ndata: x\n", "it belongs into training:"),
        ("task: chat\nmodel: x\ndata: x\ntraning: {}\n", "line 4: there is no key traning: did you mean training?"),
        ("task: chat\nmodel: x\ndata: x\ntraining:\n  lerning_rate: 1\n", "config.yaml, line 5: there is no training "
         "argument 'lerning_rate': did you mean learning_rate?"),
        ("task: chat\nmodel: x\ndata: x\ntraining:\n  fp16: true\n  bf16: true\n", "line 5: fp16 and bf16 are"),
        ("task: chat\nmodel: x\ndata: chats.jsonl\ntraining:\n  optim: sgd\n  lr_scheduler_type: cosin\n", "line 6: "
         "TrainingArguments asks for learning rate schedule 'cosin', which no installed or known package "
         "provides. Did you mean cosine?"),
        ("task: chat\nmodel: x\ndata: x\npreprocessing:\n  max_length: many\n", "line 5: preprocessing.max_length is "
         "'many': input should be a valid integer"),
        ("task: chat\nmodel: x\ndata: x\npreprocessing: {mlm_probability: 0.2}\n", "preprocessing.mlm_probability says "
         "nothing for the task chat; it has add_eos, chat_template, completion_only"),
        ("task: chat\nmodel: x\ndata: {train: x, eval: y, eval_fraction: 0.1}\n", "eval and eval_fraction all say"),
        ("task: chat\nmodel: {ref: x, quantization: int8}\ndata: x\n", "line 2: packed weights do not learn"),
        ("task: chat\nmodel: {ref: x, quantization: int8}\ndata: x\npeft: {merge: true}\n", "nothing can be added to"),
        ("task: chat\nmodel: x\ndata: chats.jsonl\ntraining: {eval_strategy: epoch}\n", "nothing says what is"),
        ("task: chat\nmodel: x\ndata: none.jsonl\n", "Error: there is no file none.jsonl"),
        ("task: chat\nmodel: x\ndata: rows.xml\n", "Error: there is no file rows.xml"),
        ("task: chat\nmodel: x\ndata: {train: chats.jsonl, eval_fraction: 0.01}\n", "0.01 of the 8 rows of"),
        ("task: chat\nmodel: x\ndata: {train: chats.jsonl, seed: -1}\n", "data.seed is -1: input should be greater"),
        ("task: chat\nmodel: nowhere/at all\ndata: chats.jsonl\ntraining: {output_dir: 7}\n", "nowhere/at all"),
        ("task: image-classification\nmodel: x\ndata: photos/cat\n", "photos/cat has no folders: pictures lie in one"),
    ],
)  # fmt: skip
def test_files(text: str, said: str, call: Callable[..., Any], chats: Path, here: Path) -> None:
    (here / "config.yaml").write_text(text)
    assert said in one_line(call("config.yaml"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name one CONFIG.yaml; given: nothing"),
        (("a.yaml", "b.yaml"), "name one CONFIG.yaml; given: a.yaml b.yaml"),
        (("a.yaml",), "there is no file a.yaml; `modelry train --example chat` writes one"),
        (("--learnin_rate", "1"), "there is no option --learnin_rate: did you mean learning_rate?"),
        (("--seed", "1"), "--seed may mean several keys: write --data.seed or --training.seed"),
        (("--modell.ref", "x"), "there is no option --modell.ref: did you mean model?"),
        (("--set", "training.seed"), "--set 'training.seed' is not SECTION.KEY=VALUE"),
        (("--task=chat", "--task.x=1"), "--task.x: task is 'chat' and has no keys"),
        (
            ("--task=chat", "--model=x", "--data=x.jsonl", "--max_steps=some"),
            "--training.max_steps: max_steps is 'some'",
        ),
    ],
)
def test_command_lines(words: Sequence[str], said: str, call: Callable[..., Any]) -> None:
    assert said in one_line(call(*words))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"messages": [USER]}, "rows.jsonl, line 2: the assistant says nothing in this chat"),
        ({"messages": []}, "rows.jsonl, line 2: 'messages' is empty: a list of messages is needed"),
        ({"messages": "hello"}, "rows.jsonl, line 2: 'messages' is a str: a list of messages is needed"),
        ({"messages": [{"from": "human", "value": "x"}]}, "line 2, message 0: a message has 'role' and 'content', and"),
        ({"messages": [USER, {"role": "assistant", "content": 3}]}, "line 2, message 1: 'content' is a int: a text is"),
        ({"messages": [ASSISTANT]}, "rows.jsonl, line 2: the chat begins with the assistant"),
        (
            {"text": "x"},
            "rows.jsonl, line 2: a chat stands in 'messages', or in 'prompt' and 'completion'; the row has",
        ),
        ([1], "rows.jsonl, line 2: this is a list: a row is an object of columns"),
    ],
)
def test_chats(
    row: Any,
    said: str,
    call: Callable[..., Any],
    models: dict[str, Path],
    write: Callable[..., Path],
    here: Path,
) -> None:
    file = write(here / "rows.jsonl", [{"messages": [USER, ASSISTANT]}, row])
    assert said in one_line(call("--task=chat", "--model", models["chat"], "--data", file, "--dry-run"))


def test_templates_and_lengths(
    call: Callable[..., Any], models: dict[str, Path], chats: Path, here: Path, write: Callable[..., Path]
) -> None:
    words = ("--task=chat", "--model", models["chat"], "--data", chats, "--dry-run")
    forgetful = "{% for m in messages %}{% if loop.last or m.role == 'user' %}<{{ m.role }}> {{ m.content }}{% endif %}"
    (here / "forgetful.jinja").write_text(
        forgetful + "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    longer = write(here / "longer.jsonl", [{"messages": [USER, ASSISTANT] * 2}])
    said = one_line(call(*words, "--chat_template=forgetful.jinja", "--data", longer))
    assert "longer.jsonl, line 1: message 1: the chat template writes what stands before it in another way" in said
    assert "use a chat template with {% generation %} blocks" in said
    assert "chat_template names none.jinja, which cannot be read" in one_line(
        call(*words, "--chat_template=none.jinja")
    )
    assert "chats.jsonl, line 1: the row has" in one_line(call(*words, "--max_length=9", "--overlong=refuse"))
    assert "overlong is 'split', which is for plain texts" in one_line(call(*words, "--overlong=split"))
    cut = one_line(call(*words, "--max_length=9"))
    assert "no row of" in cut, "what the assistant says is cut off everywhere"
    assert "max_length is 99999, and" in one_line(call(*words, "--max_length=99999"))


def test_rows_of_classes(
    call: Callable[..., Any], models: dict[str, Path], write: Callable[..., Path], here: Path
) -> None:
    def said(task: str, *rows: Any) -> str:
        file = write(here / "rows.jsonl", rows)
        return one_line(
            call(f"--task={task}", "--model", models[task], "--data", file, "--data.eval", file, "--dry-run")
        )

    text = {"text": "the sea"}
    assert "all 1 labels of" in said("sequence-classification", {**text, "label": "a"})
    assert "line 2: there is no 'label'" in said("sequence-classification", {**text, "label": "a"}, text)
    mixed = said("sequence-classification", {**text, "label": "a"}, {**text, "label": 1})
    assert "line 2: the label is 1, and" in mixed
    assert "line 1: there are 1 words and 2 labels" in said("token-classification", {"tokens": ["a"], "labels": [1, 2]})
    assert "line 1: there is no 'source'" in said("seq2seq-lm", {"target": "a"})
    assert "has no head 'seq2seq-lm'" in one_line(
        call("--task=seq2seq-lm", "--model", models["chat"], "--data", here / "rows.jsonl", "--dry-run")
    )
    write(here / "other.jsonl", [{**text, "label": "c"}])
    write(here / "rows.jsonl", [{**text, "label": "a"}, {**text, "label": "b"}])
    words = ("--task=sequence-classification", "--model", models["sequence-classification"], "--data=rows.jsonl")
    assert "other.jsonl, line 1: the label 'c' is none of the 2 classes (a, b)" in one_line(
        call(*words, "--data.eval=other.jsonl", "--dry-run")
    )


def test_pictures(call: Callable[..., Any], models: dict[str, Path], here: Path) -> None:
    words = ("--task=image-classification", "--model", models["image-classification"], "--data=photos", "--dry-run")
    (here / "photos" / "cat" / "bad.png").write_bytes(b"no picture")
    assert "photos/cat/bad.png is no picture that can be read" in one_line(call(*words))
    (here / "photos" / "owl").mkdir()
    assert "the class photos/owl has no pictures" in one_line(call(*words))


def test_neither_help_nor_a_wrong_file_waits_for_torch(here: Path) -> None:
    (here / "config.yaml").write_text("task: chat\nmodel: x\ndata: x\ntraning: {}\n")
    code = (
        "import sys; from modelry_trainer.command.train import train\n"
        "all = {'torch', 'pydantic', 'numpy', 'yaml'}\n"
        "for words, code, late in ((['--help'], 0, all), (['config.yaml'], 2, {'torch'})):\n"
        "    try: train(words)\n"
        "    except SystemExit as end: assert end.code == code\n"
        "    assert not late & sys.modules.keys(), words"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "there is no key traning" in done.stderr
