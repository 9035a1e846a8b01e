"""Over how many processes data and tensors are divided, and what the environment says of them."""

from types import SimpleNamespace
from typing import Any

import pytest

from modelry_trainer import TrainingArguments
from modelry_trainer.distributed.environment import Launched, launched
from modelry_trainer.distributed.sizes import Sizes, checked_config, sizes_of
from modelry_trainer.distributed.world import world_of
from modelry_trainer.errors import ArgumentsError

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
MASTER = {"MASTER_ADDR": "localhost", "MASTER_PORT": "1"}


def test_what_torchrun_says() -> None:
    assert launched({}) is None
    assert launched({**TORCHRUN, **MASTER}) == Launched(5, 8, 1, 4)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (TORCHRUN, "MASTER_ADDR, MASTER_PORT not"),
        ({**TORCHRUN, **MASTER, "RANK": "8"}, "process 8 of 8"),
        ({**TORCHRUN, **MASTER, "RANK": "one"}, "are numbers"),
    ],
)
def test_what_no_launcher_says(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ArgumentsError, match=words):
        launched(environment)


@pytest.mark.parametrize(
    ("values", "count", "sizes"),
    [
        ({}, 4, (4, 1, 1)),
        ({"fsdp": True}, 4, (1, 4, 1)),
        ({"fsdp": True, "parallelism_config": {"dp_replicate_size": 2}}, 4, (2, 2, 1)),
        ({"parallelism_config": {"tp_size": 2}}, 4, (2, 1, 2)),
        ({"fsdp": True, "parallelism_config": {"tp_size": 2}}, 8, (1, 4, 2)),
        (
            {"fsdp": True, "parallelism_config": {"tp_size": 2, "dp_replicate_size": 2, "dp_shard_size": 2}},
            8,
            (2, 2, 2),
        ),
    ],
)
def test_what_is_left_open_takes_the_rest(values: dict[str, Any], count: int, sizes: tuple[int, ...]) -> None:
    assert sizes_of(TrainingArguments(**values), count) == Sizes(*sizes)


@pytest.mark.parametrize(
    ("values", "count", "words"),
    [
        ({"parallelism_config": {"tp_size": 3}}, 4, "is 3 and there are 4 processes"),
        ({"parallelism_config": {"dp_shard_size": 2}}, 2, "dp_shard_size 2 and fsdp is off"),
        ({"parallelism_config": {"tp_size": 2}}, 1, "is 2 and there are 1 processes"),
        ({"fsdp": True, "parallelism_config": {"dp_shard_size": 2}}, 4, "is 2 and there are 4"),
    ],
)
def test_sizes_that_do_not_multiply(values: dict[str, Any], count: int, words: str) -> None:
    with pytest.raises(ArgumentsError, match=words):
        sizes_of(TrainingArguments(**values), count)


def test_the_ecosystems_object() -> None:
    given = SimpleNamespace(dp_replicate_size=None, dp_shard_size=2, tp_size=2, cp_size=1, sp_size=None)
    assert checked_config(given) == {"dp_shard_size": 2, "tp_size": 2}
    for wrong, words in (({"cp_size": 2}, "cp_size"), ({"pp": 1}, "has pp"), ({"tp_size": 0}, "tp_size 0")):
        with pytest.raises(ValueError, match=words):
            checked_config(wrong)


def test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    world = world_of(TrainingArguments())
    assert (world.size, world.data_size, world.mesh) == (1, 1, None)
    assert (world.told(lambda: 3), world.everywhere(lambda: 4), world.total(1, 2)) == (3, [4], [1, 2])
    with pytest.raises(ArgumentsError, match="fsdp is set and there is one process"):
        world_of(TrainingArguments(fsdp=True))
    with pytest.raises(ArgumentsError, match="local_rank is 3"):
        world_of(TrainingArguments(local_rank=3))
