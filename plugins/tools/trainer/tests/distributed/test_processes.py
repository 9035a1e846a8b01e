"""Several processes do what one does; killed, they go on in any number; and one that stops does not make others wait.

Each process costs seconds for importing torch alone, so that few are started, and each trains several times.
"""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors.torch import load_file

pytest.importorskip("modelry_llama")

PROGRAM = Path(__file__).parents[1] / "programs" / "processes.py"
SECONDS = 280
"""A launch takes ten on an idle machine."""
ODD: dict[str, Any] = {"vocab_size": 97, "tie_word_embeddings": False}
"""Parts of several lengths; vocabularies are divided by FSDP alone."""
MIXTURE: dict[str, Any] = {"model_type": "mixtral", "num_local_experts": 3, "tie_word_embeddings": False}
"""Fewer experts than processes, whose weights are dealt out along another dimension."""
DROPOUT: dict[str, Any] = {"attention_dropout": 0.2}
SHARDED: dict[str, Any] = {"fsdp": True}
TENSOR: dict[str, Any] = {"parallelism_config": {"tp_size": 2}}
SAVED: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1}
AGAIN: dict[str, Any] = {"seed": 5, "resume": True}
"""Beginning with weights that do not matter."""


class Launched(NamedTuple):
    """What came of some trainings."""

    folder: Path
    code: int
    output: str


def job(name: str, batch: int, *, config: Any = None, kill: Any = None, stream: bool = False, **values: Any) -> Any:
    """One training."""
    more = {"config": config} if config else {}
    more |= {"kill": kill} if kill else {}
    return {"name": name, "stream": stream, "values": {"per_device_train_batch_size": batch, **values}, **more}


def launch(folder: Path, count: int, jobs: list[dict[str, Any]]) -> Launched:
    """Have torchrun start so many processes that do them one after the other."""
    file = written(folder, jobs)
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", str(PROGRAM), str(file)]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=SECONDS
    )
    return Launched(folder, done.returncode, done.stdout + done.stderr)


def written(folder: Path, jobs: list[dict[str, Any]]) -> Path:
    """The file of the jobs; each gets its folder."""
    for one in jobs:
        one["folder"] = str(folder / one["name"])
        (folder / one["name"]).mkdir(parents=True, exist_ok=True)
    file = folder / f"jobs-{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps(jobs))
    return file


def difference(left: Path, right: Path) -> float:
    """The largest one of two trainings: of losses, norms, weights, and of what they then say of the same rows."""
    found = []
    told = [json.loads((folder / "told.json").read_text()) for folder in (left, right)]
    assert told[0]["labels"] == told[1]["labels"]
    for name in ("losses", "norms"):
        found += [abs(one - two) for one, two in zip(told[0][name], told[1][name], strict=True)]
    scale = 1e-2  # of a sum of 6,000 numbers
    found += [abs(one - two) * scale for one, two in zip(told[0]["metrics"], told[1]["metrics"], strict=True)]
    rows = [[number for row in one["predictions"] for number in row] for one in told]
    found += [abs(one - two) for one, two in zip(*rows, strict=True)]
    weights = [load_file(folder / "model" / "model.safetensors") for folder in (left, right)]
    assert weights[0].keys() == weights[1].keys()
    found += [float((value - weights[1][name]).abs().max()) for name, value in weights[0].items()]
    return max(found)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[dict[str, Any]]], Path]:
    """Do jobs in this process."""
    folder = tmp_path_factory.mktemp("alone")

    def run(jobs: list[dict[str, Any]]) -> Path:
        runpy.run_path(str(PROGRAM))["main"](json.loads(written(folder, jobs).read_text()))
        return folder

    return run


@pytest.fixture(scope="module")
def one(alone: Callable[[list[dict[str, Any]]], Path]) -> Path:
    """The references: four and eight rows at a time in one process."""
    return alone(
        [
            job("four", 4),
            job("eight", 8, config=ODD, optim="sgd"),
            {**job("scaled", 4), "scaled": True},
            job("mixture", 4, config=MIXTURE),
            job("scarce", 4, config=MIXTURE, optim="adafactor", optim_args="beta1=0.9"),
        ]
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Two processes; one is killed in the last training, in the middle of writing checkpoint-4."""
    jobs = [
        job("ddp", 2, ddp_bucket_cap_mb=1),
        job("fsdp", 2, **SHARDED),
        job("tp", 4, **TENSOR),
        {**job("scaled", 2, **SHARDED), "scaled": True},
        job("dropout", 2, config=DROPOUT, **SHARDED, **SAVED),
        job("mixture", 2, config=MIXTURE, **SHARDED, **SAVED),
        job("killed", 2, kill=[1, 4], **SHARDED, **SAVED, save_total_limit=2),
    ]
    return launch(tmp_path_factory.mktemp("two"), 2, jobs)


@pytest.fixture(scope="module")
def killed(two: Launched) -> Path:
    """The folder of the killed training."""
    return two.folder / "killed" / "run"


@pytest.mark.parametrize("name", ["ddp", "fsdp", "tp"])
def test_two_are_as_one(name: str, one: Path, two: Launched) -> None:
    assert difference(one / "four", two.folder / name) < 1e-5


def test_a_parameter_without_a_dimension(one: Path, two: Launched) -> None:
    """FSDP2 divides none: each process has it, and its gradient is theirs together."""
    assert difference(one / "scaled", two.folder / "scaled") < 1e-5


def test_experts(one: Path, two: Launched) -> None:
    assert difference(one / "mixture", two.folder / "mixture") < 1e-5
    folder = two.folder / "mixture" / "run" / "checkpoint-3"
    pieces = [load_file(folder / f"weights-0000{part}-of-00002.safetensors") for part in (1, 2)]
    shapes = {tuple(one.shape) for piece in pieces for name, one in piece.items() if "experts.up_proj" in name}
    assert shapes == {(3, 12, 16)}


def test_torchrun_says_who_was_killed(two: Launched, killed: Path) -> None:
    assert two.code != 0
    assert "exitcode  : -9" in two.output
    assert "rank      : 1" in two.output
    whole = sorted(folder.name for folder in killed.iterdir() if not folder.name.startswith("."))
    assert whole == ["checkpoint-2", "checkpoint-3"]
    parts = {path.name for path in (killed / "checkpoint-3").iterdir()}
    assert {f"weights-0000{number}-of-00002.safetensors" for number in (1, 2)} <= parts


@pytest.fixture(scope="module")
def resumed(two: Launched, killed: Path, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Two processes that go on from checkpoint-3; at the end one reads a bad row, and lives on as in a notebook."""
    folder = tmp_path_factory.mktemp("resumed")
    shutil.copytree(two.folder / "dropout" / "run" / "checkpoint-3", folder / "dropout" / "run" / "checkpoint-3")
    shutil.copytree(killed, folder / "copies" / "run")
    jobs = [
        {**job("dropout", 2, config=DROPOUT, **SHARDED, **SAVED), **AGAIN},
        {**job("copies", 2, **SAVED), **AGAIN},
        {**job("bad", 2), "bad": 5, "stays": "0"},
    ]
    return launch(folder, 2, jobs)


def test_resuming_is_exact(two: Launched, resumed: Launched) -> None:
    assert difference(two.folder / "dropout", resumed.folder / "dropout") == 0


def test_resuming_as_copies_and_alone(one: Path, resumed: Launched, killed: Path, alone: Callable[..., Path]) -> None:
    assert difference(one / "four", resumed.folder / "copies") < 1e-5
    shutil.copytree(killed, one / "resumed" / "run")
    alone([{**job("resumed", 2, gradient_accumulation_steps=2, **SAVED), **AGAIN}])
    assert difference(one / "four", one / "resumed") < 1e-5


def test_one_that_raises_ends_the_others(resumed: Launched) -> None:
    """It keeps its connections: nothing but the watch ends the other one."""
    assert resumed.code != 0
    said = "has stopped: BadRow: row 5 of the train data set cannot be read: OSError: the disk has a scratch there"
    assert "modelry: process 1 ends: process 0 of 2" in resumed.output
    assert said in resumed.output


def test_four_are_as_one(one: Path, two: Launched, killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "resumed" / "run")
    for name in ("mixture", "mixture-tp"):
        shutil.copytree(two.folder / "mixture" / "run" / "checkpoint-3", tmp_path / name / "run" / "checkpoint-3")
    accumulated = {"gradient_accumulation_steps": 2, "optim": "sgd"}
    hybrid = {"parallelism_config": {"dp_replicate_size": 2, "dp_shard_size": 2}}
    offloaded = {"cpu_offload": True, "activation_checkpointing": True, "reshard_after_forward": False}
    launched = launch(
        tmp_path,
        4,
        [
            job("ddp", 1, config=ODD, **accumulated),
            job("fsdp", 1, config=ODD, **accumulated, **SHARDED, fsdp_config=offloaded),
            job("hybrid", 1, **SHARDED, **hybrid),
            job("fsdp-tp", 2, config=ODD, **accumulated, **SHARDED, **TENSOR),
            job("ddp-tp", 2, **TENSOR),
            job("stream", 1, stream=True, **SHARDED),
            job("scarce", 1, config=MIXTURE, optim="adafactor", optim_args="beta1=0.9", **SHARDED),
            job("muon", 1, config=MIXTURE, optim="muon", **SHARDED),
            {**job("resumed", 2, **SAVED, **SHARDED, **TENSOR), **AGAIN},
            {**job("mixture", 1, config=MIXTURE, **SAVED, **SHARDED), **AGAIN},
            {**job("mixture-tp", 2, config=MIXTURE, **SAVED, **SHARDED, **TENSOR), **AGAIN},
        ],
    )
    assert launched.code == 0, launched.output
    for name in ("hybrid", "ddp-tp", "resumed"):
        assert difference(one / "four", tmp_path / name) < 1e-5, name
    for name in ("mixture", "mixture-tp"):
        assert difference(one / "mixture", tmp_path / name) < 1e-5, name
    assert difference(one / "scarce", tmp_path / "scarce") < 1e-5
    for name in ("ddp", "fsdp", "fsdp-tp"):
        assert difference(one / "eight", tmp_path / name) < 1e-5, name
