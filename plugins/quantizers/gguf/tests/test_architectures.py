"""The tables name every tensor once, and refuse what they do not know."""

import pytest
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

from modelry.errors import CheckpointError
from modelry_gguf.architectures import ARCHITECTURES, architecture

NUMBERS = {name: number for number, name in MODEL_ARCH_NAMES.items()}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_names_are_those_of_the_gguf_package(name: str) -> None:
    table = get_tensor_name_map(MODEL_ARCH(NUMBERS[name]), 3)
    for stored, published in ARCHITECTURES[name].tensors.items():
        stem, kind = published.replace("{layer}", "2").rsplit(".", 1)
        assert f"{table.get_name(stem)}.{kind}" == stored.replace("{layer}", "2")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_published_name_comes_twice(name: str) -> None:
    published = list(ARCHITECTURES[name].tensors.values())
    assert len(published) == len(set(published))


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ("blk.0.ffn_gate_exps.weight", "is none of architecture 'llama'"),
        ("blk.2.attn_q.weight", "is of layer 2; llama.block_count is 2"),
        ("blk.01.attn_q.weight", "is none of"),
        ("blk.{layer}.attn_q.weight", "is none of|is of layer"),
    ],
)
def test_other_names(stored: str, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        ARCHITECTURES["llama"].published_name(stored, layers=2, where="a file")


def test_no_architecture() -> None:
    with pytest.raises(CheckpointError, match=r"no general\.architecture"):
        architecture(None, "a file")
