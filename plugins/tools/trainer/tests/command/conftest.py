"""Tiny models in folders, files of rows, and the command in this process."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from modelry import AutoConfig, AutoModel, AutoModelForCausalLM
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.pictures import encoded, picture
from modelry_testing.toys.text_to_text import save_text_to_text
from modelry_testing.toys.tokenizer_files import END, PAD, START, vocabulary, write_tokenizer
from modelry_testing.toys.word_pieces import pieces, write_word_pieces
from modelry_trainer.command.train import train

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
CHAT = [{"role": "user", "content": "the inn?"}, {"role": "assistant", "content": "by the sea"}]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind of training to the folder of a model for it."""
    folder = tmp_path_factory.mktemp("models")
    ids = vocabulary()
    special = {"bos_token_id": ids[START], "eos_token_id": ids[END], "pad_token_id": ids[PAD]}
    llama, bert = folder / "llama", folder / "bert"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = AutoConfig.for_model("llama", vocab_size=263, **SMALL, **special)
        AutoModelForCausalLM.from_config(config).save_pretrained(llama)
        config = AutoConfig.for_model("bert", vocab_size=len(pieces()), max_position_embeddings=64, **SMALL)
        AutoModel.from_config(config).save_pretrained(bert)
    write_tokenizer(llama)
    (llama / "chat_template.jinja").write_text(TEMPLATE)
    write_word_pieces(bert)
    return {
        "chat": llama,
        "causal-lm": llama,
        "masked-lm": bert,
        "sequence-classification": bert,
        "token-classification": bert,
        "seq2seq-lm": save_text_to_text(folder / "t5"),
        "image-classification": save_picture_model(folder / "vit", "image-classification"),
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a test, with pictures in it."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        folder = tmp_path / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encoded(picture(16, 24, number)))
    return tmp_path


@pytest.fixture
def chats(here: Path) -> Path:
    """Eight chats."""
    return write_lines(here / "chats.jsonl", [{"messages": CHAT}] * 8)


@pytest.fixture
def write() -> Callable[[Path, Sequence[Any]], Path]:
    """Rows as lines of JSON."""
    return write_lines


def write_lines(file: Path, rows: Sequence[Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def call(here: Path) -> Callable[..., Result]:
    """The command."""

    def run(*words: Any) -> Result:
        return CliRunner().invoke(train, [str(word) for word in words])

    return run


QUICK = (
    "--max_steps=2", "--training.use_cpu", "--save_strategy=no", "--eval_strategy=no", "--load_best_model_at_end=false",
    "--learning_rate=0.01", "--disable_tqdm=true", "--output_dir=out", "--logging_steps=1",
)  # fmt: skip


@pytest.fixture
def quick() -> tuple[str, ...]:
    """Words for a training of two steps."""
    return QUICK
