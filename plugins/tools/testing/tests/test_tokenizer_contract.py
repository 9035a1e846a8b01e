"""The tokenizer contract: the toy's tokenizer passes whole, and each bad one fails exactly its check."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from modelry_registry import Registry, get_registry
from modelry_testing import PreprocessorContract, TokenizerContract
from modelry_testing.outcomes import PASSED
from modelry_testing.toys.family import TOY, with_toy
from modelry_testing.toys.tokenizer_files import write_tokenizer


def registry_with(reference: str) -> Registry:
    family = dataclasses.replace(TOY, model_type="bad-toy", preprocessors={"tokenizer": reference})
    return get_registry().extended(family)


def test_the_toy_passes_whole(outcomes: Callable) -> None:
    found = outcomes(TokenizerContract, with_toy(get_registry()), "modelry-toy")
    assert [one.status for one in found] == [PASSED] * len(found), found


SEEDS = {
    "ShiftedOffsets": {"test_offsets"},
    "LoweredText": {"test_round_trip"},
    "OneSided": {"test_padding"},
    "Longwinded": {"test_truncation"},
    "Forgetful": {"test_save_and_reload"},
    "Moody": {"test_batch"},
    "Careless": {"test_refusals"},
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_tokenizer_fails_its_check(seed: str, outsider: Callable, failures: Callable) -> None:
    found = failures(TokenizerContract, registry_with(f"{outsider('bad_tokenizers')}:{seed}"), "bad-toy")
    assert set(found) == SEEDS[seed], found


def test_a_preprocessor_of_another_role_needs_its_files(outcomes: Callable) -> None:
    class Some(PreprocessorContract):
        role = "tokenizer"

        def write_files(self, folder: Path) -> None:
            write_tokenizer(folder)

        def items(self) -> list[str]:
            return ["a", "the inn", "ü"]

    found = outcomes(Some, with_toy(get_registry()), "modelry-toy")
    assert [one.status for one in found] == [PASSED] * 7, found
    bare = outcomes(PreprocessorContract, with_toy(get_registry()), "modelry-toy", role="tokenizer")
    assert {one.status for one in bare if one.check != "test_registered"} == {"skipped"}
