"""A training on a hub: the server speaks the hub's protocol, the client is the hub's own."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelry import AutoModelForCausalLM
from modelry.errors import AccessDenied, ModelryWarning
from modelry_testing.hub_server import HubServer, only_hub
from modelry_trainer import Trainer, TrainerCallback, TrainingArguments
from modelry_trainer.publishing import uploads
from modelry_trainer.publishing.uploads import Uploads

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # huggingface_hub's own

MODEL = {"config.json", "model.safetensors"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with only_hub(monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture
def push(make_toy: Any, texts: list[Any], tmp_path: Path, hub: HubServer) -> Callable[..., Trainer]:
    """Train for two steps, each with a checkpoint."""

    def make(**values: Any) -> Trainer:
        told = {"push_to_hub": True, "hub_model_id": "inn/night", "hub_token": hub.token, "hub_always_push": True}
        given = {"max_steps": 2, "save_steps": 1, "logging_steps": 1, "report_html": False, **told, **values}
        callbacks = given.pop("callbacks", None)
        arguments = TrainingArguments(tmp_path / "out", **given)
        trainer = Trainer(make_toy(), arguments, train_dataset=texts, eval_dataset=texts, callbacks=callbacks)
        trainer.train()
        return trainer

    return make


@pytest.mark.parametrize(
    ("strategy", "folders"),
    [
        ("every_save", set()),
        ("checkpoint", {"last-checkpoint"}),
        ("all_checkpoints", {"checkpoint-1", "checkpoint-2"}),
    ],
)
def test_checkpoints_go_there_on_the_way(
    strategy: str, folders: set[str], push: Callable[..., Trainer], hub: HubServer, tmp_path: Path
) -> None:
    pushed: list[int] = []

    class Listener(TrainerCallback):
        def on_push_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            pushed.append(state.global_step)

    push(hub_strategy=strategy, callbacks=[Listener], save_total_limit=1)
    files = hub.files("inn/night")
    assert pushed == [1, 2]
    assert set(files) >= MODEL
    assert {name.partition("/")[0] for name in files if "/" in name} == folders
    assert not any(name.startswith(("optimizer", "trainer_state")) for name in files)
    for folder in folders:
        assert {f"{folder}/checkpoint.json", f"{folder}/optimizer.safetensors"} <= set(files)
    newest = (tmp_path / "out/checkpoint-2/model.safetensors").read_bytes()
    assert files["model.safetensors"] == newest
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["checkpoint-2"]


def test_a_training_goes_on_from_what_the_hub_has(
    push: Callable[..., Trainer], hub: HubServer, make_toy: Any, texts: list[Any], tmp_path: Path
) -> None:
    push(hub_strategy="checkpoint")
    folder = tmp_path / "fetched/last-checkpoint"
    folder.mkdir(parents=True)
    for name, data in hub.files("inn/night").items():
        if name.startswith("last-checkpoint/"):
            (folder.parent / name).write_bytes(data)
    arguments = TrainingArguments(tmp_path / "again", max_steps=3, report_html=False, save_strategy="no")
    trainer = Trainer(make_toy(seed=5), arguments, train_dataset=texts)
    assert trainer.train(resume_from_checkpoint=folder).global_step == 3


def test_at_the_end(push: Callable[..., Trainer], hub: HubServer, tmp_path: Path) -> None:
    trainer = push(hub_strategy="end", hub_private_repo=True, eval_strategy="steps", eval_steps=1)
    assert set(hub.files("inn/night")) == {".gitattributes"}
    assert hub.repositories["inn/night"].private
    trainer.save_model()
    files = hub.files("inn/night")
    assert MODEL | {"README.md"} <= set(files)
    assert files["model.safetensors"] == (tmp_path / "out/model.safetensors").read_bytes()
    assert b"generated_from_trainer" in files["README.md"]
    assert "/commit/" in trainer.push_to_hub("Once more", tags="night", revision="other")
    assert b'"night"' in hub.files("inn/night", "other")["README.md"]
    assert "/commit/" in trainer.push_to_hub(blocking=False).result(timeout=30)


def test_without_the_argument(make_toy: Any, hub: HubServer, tmp_path: Path) -> None:
    trainer = Trainer(make_toy(), TrainingArguments(tmp_path / "night", hub_token=hub.token))
    trainer.push_to_hub()
    assert trainer.hub_model_id == "tester/night"
    loaded = AutoModelForCausalLM.from_pretrained("tester/night", cache_dir=tmp_path / "cache")
    assert loaded.num_parameters() == trainer.model.num_parameters()


def test_a_refusal_comes_before_the_training(make_toy: Any, hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(AccessDenied, match="token"):
        Trainer(make_toy(), TrainingArguments(tmp_path / "out", push_to_hub=True, hub_token="hf_wrong"))


def test_the_token_is_written_nowhere(push: Callable[..., Trainer], hub: HubServer, tmp_path: Path) -> None:
    trainer = push(report_html=True)
    assert hub.token not in repr(trainer.args)
    texts = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".json", ".html")]
    assert not any(hub.token in path.read_text() for path in texts)
    kept = json.loads((tmp_path / "out/checkpoint-2/training_args.json").read_text())
    assert kept["hub_token"] == "<HUB_TOKEN>"


def test_an_upload_that_fails_stops_no_training(push: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any, **options: Any) -> str:
        raise OSError("the line is cut")

    monkeypatch.setattr(uploads, "push_folder", fail)
    with pytest.warns(ModelryWarning, match="could not be uploaded to inn/night: the line is cut"):
        trainer = push()
    assert trainer.state.global_step == 2


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(uploads, "push_folder", lambda *given, **options: str(go.wait(30)))
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1/config.json").write_text("{}")
    running = Uploads("inn/night")
    assert not running.are_running
    running.begin(tmp_path / "checkpoint-1", message="one", whole_under=None)
    assert running.are_running
    go.set()
    running.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]
