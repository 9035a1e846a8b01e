"""Every family that has a tensor-parallel plan, over two processes and over four, is what it is in one."""

from collections.abc import Mapping

import pytest

Found = Mapping[int, Mapping[str, str]]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("aspect", ["loading", "results", "parts", "saving", "generation"])
def test_families(found: Found, count: int, aspect: str) -> None:
    checks = {name: said for name, said in found[count].items() if name.endswith(f": {aspect}")}
    wrong = {name: said for name, said in checks.items() if said}
    assert len(checks) >= 4
    assert not wrong, "\n".join(f"{name}\n{said}" for name, said in wrong.items())


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    "check",
    [
        "llama: reading in auto",
        "gpt2: reading in auto",
        "gpt2: reading in bfloat16",
        "mixtral: reading in auto",
        "mixtral: fused experts",
        "llama: caches",
        "llama: recomputed",
        "llama: a finished model",
        "llama: new heads",
        "llama: own plan",
    ],
)
def test_one_way(found: Found, count: int, check: str) -> None:
    assert not found[count][check], found[count][check]


def test_what_cannot_be_is_refused(found: Found) -> None:
    assert not found[2]["llama: refusals"], found[2]["llama: refusals"]


def test_what_a_pass_exchanges(found: Found) -> None:
    assert not found[2]["llama: traffic"], found[2]["llama: traffic"]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_together_with_fully_sharded_data_parallelism(found: Found, family: str) -> None:
    said = found[4][f"{family}: with fully_shard"]
    assert not said, said
