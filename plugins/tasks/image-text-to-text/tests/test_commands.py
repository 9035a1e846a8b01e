"""`modelry run image-text-to-text` and `modelry chat --image`, in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from modelry.cli.chat import chat
from modelry.cli.run import run

SHORT = ["--max-new-tokens", "6", "--temperature", "0", "--set", "min_new_tokens=6", "--device", "cpu"]


def call(command: Any, *arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in (*arguments, *SHORT)], input=stdin)


def message(*images: str, text: str) -> dict[str, Any]:
    return {"role": "user", "content": [*({"type": "image", "image": one} for one in images),
                                        {"type": "text", "text": text}]}  # fmt: skip


def test_run_puts_files_before_the_text_behind_them(see: Any, folder: Path, path: str) -> None:
    done = call(run, "image-text-to-text", "--model", folder, path, "what", path, path, "or", "no picture")
    assert done.exit_code == 0, done.stderr
    items = [message(path, text="what"), message(path, path, text="or"), message(text="no picture")]
    expected = [see([item], return_full_text=False)[0]["generated_text"] for item in items]
    assert done.stdout == "".join(f"{one}\n" for one in expected)


def test_run_json(see: Any, folder: Path, path: str) -> None:
    done = call(run, "image-text-to-text", "-m", folder, "--json", path, "what is new in photo.png")
    expected = see({"messages": [message(path, text="what is new in photo.png")]})
    assert json.loads(done.stdout) == expected
    item = [message(path, text="what")]
    done = call(run, "image-text-to-text", "-m", folder, "--json", "--json-input", json.dumps(item))
    assert json.loads(done.stdout) == see(item)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no-such.jpg", "what"], "no such file"),
        (["{path}"], "a text is needed beside the images"),
        (["{path}", "what", "--set", "num_beam=2"], "Did you mean 'num_beams'"),
        (["{path}", "what", "--set", "timeout=0"], "timeout"),
        (["http://127.0.0.1/photo.png", "what"], "inside our own network"),
        (["{path}", "film.mp4", "what"], "takes no video inputs"),
    ],
)
def test_run_fails_in_one_line(folder: Path, path: str, words: list[str], told: str) -> None:
    done = call(run, "image-text-to-text", "-m", folder, *(word.format(path=path) for word in words))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr


def test_chat_about_a_picture(see: Any, folder: Path, path: str) -> None:
    done = call(chat, folder, "--image", path, "--system", "Be kind.", stdin="what\nand now\n/quit\n")
    assert done.exit_code == 0, done.stderr
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Be kind."}]
    told = ""
    for asked in (message(path, text="what"), {"role": "user", "content": "and now"}):
        messages.append(asked)
        messages = see(messages)[0]["generated_text"]
        told += f"{messages[-1]['content']}\n"
    assert done.stdout == told
