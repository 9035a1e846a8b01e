"""Contracts by a plugin's name alone: which there are, and that every installed family's model runs under its own."""

import dataclasses
from collections.abc import Callable
from typing import NoReturn

import pytest

from modelry_registry import get_registry
from modelry_testing import ModelContract
from modelry_testing.contract import Contract
from modelry_testing.contracts import contracts_of
from modelry_testing.outcomes import FAILED, SKIPPED
from modelry_testing.toys.family import TOY

RUNNING = (
    "test_forward",
    "test_determinism",
    "test_right_padding",
    "test_left_padding",
    "test_heads",
    "test_gradients",
)
UNDERSTOOD = {
    "clip", "convnext", "depth_anything", "dinov2", "llama", "llava", "resnet", "segformer", "siglip", "swin", "t5",
    "vision-encoder-decoder", "vit", "wav2vec2", "whisper",
}  # fmt: skip
"""Families whose inputs the kit has to know; of others it may say that it does not."""


def no_package() -> NoReturn:
    pytest.skip("the family's own tests build its wheel")


def came_of(contract: type[Contract], check: str) -> str:
    """ "", or why the check was skipped."""
    try:
        getattr(contract(), check)()
    except pytest.skip.Exception as skipped:
        return str(skipped.msg)
    return ""


@pytest.mark.parametrize("name", get_registry().names("models"))
def test_an_installed_family_runs_by_its_name(name: str) -> None:
    contract, *_ = contracts_of(name, kind="models", registry=get_registry())
    contract = type("Checked", (contract,), {"package": staticmethod(no_package)})
    found = {check: came_of(contract, check) for check in RUNNING}
    if name in UNDERSTOOD:
        assert not found["test_forward"] + found["test_determinism"] + found["test_heads"], found
    assert not [why for why in found.values() if "failed" in why], found


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("vit", ["image-processor"]),
        ("clip", ["tokenizer", "image-processor"]),
        ("wav2vec2", ["tokenizer", "feature-extractor"]),
    ],
)
def test_a_family_has_its_preprocessors_checked_too(name: str, roles: list[str]) -> None:
    _, *found = contracts_of(name, kind="models", registry=get_registry())
    assert [one.label() for one in found] == [f"{role}:{name}" for role in roles]
    assert not came_of(found[-1], "test_forms")


def test_a_preprocessor_with_files_of_its_own_is_not_guessed() -> None:
    _, tokenizer, _ = contracts_of("wav2vec2", kind="models", registry=get_registry())
    assert "vocab.json" in came_of(tokenizer, "test_prepares")
    assert "give `write_files`" in came_of(tokenizer, "test_prepares")


def test_inputs_that_nobody_can_know_are_asked_for(outcomes: Callable) -> None:
    family = dataclasses.replace(TOY, modalities=("audio",))
    found = {one.check: one for one in outcomes(ModelContract, get_registry().extended(family), "modelry-toy")}
    assert FAILED not in {one.status for one in found.values()}, found
    assert found["test_forward"].status == SKIPPED
    assert "give `inputs(config, rows, length)`" in found["test_forward"].reason


def test_inputs_that_were_guessed_wrong_are_asked_for(in_process: Callable, outcomes: Callable) -> None:
    edits = [
        ("/_plugin.py", 'modalities=("text",)', 'modalities=("text", "touch")'),
        (
            "/modeling.py",
            "        angles = self",
            "        raise ValueError('what does it feel like?')\n        angles = self",
        ),
    ]
    registry = in_process("model", "feeling", edits)
    found = {one.check: one for one in outcomes(ModelContract, registry, "feeling", by_name=True)}
    assert FAILED not in {one.status for one in found.values()}, found
    assert "what does it feel like?" in found["test_forward"].reason
    assert "give `inputs(config, rows, length)`" in found["test_forward"].reason


def test_a_parameter_without_use_is_told_and_a_lost_gradient_fails(in_process: Callable, outcomes: Callable) -> None:
    norm = "        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)\n"
    spare = ("/modeling.py", norm, norm + norm.replace("self.norm", "self.spare"))
    cut = ("/modeling.py", "k, v, mask, scale", "k, v.detach(), mask, scale")
    for name, edits, alone, in_a_class in (
        ("spare-part", [spare], SKIPPED, FAILED),
        ("lost-part", [spare, cut], FAILED, FAILED),
    ):
        registry = in_process("model", name, edits)
        for by_name, expected in ((True, alone), (False, in_a_class)):
            found = {one.check: one for one in outcomes(ModelContract, registry, name, by_name=by_name)}
            assert found["test_gradients"].status == expected, found["test_gradients"]
            assert ("spare" in found["test_gradients"].reason) == (name == "spare-part" or not by_name)
