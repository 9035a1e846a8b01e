"""Pairs of models: the reference's, random, and ours, loaded from what the reference saved."""

import importlib
import runpy
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import transformers

from modelry_registry import get_registry, resolve

HERE = Path(__file__).parent


class Subject(NamedTuple):
    """One head of one configuration of one family."""

    family: str
    """Name of the file in cases/."""
    number: int
    """Of the case in it."""
    head: str
    """Our name of the head."""


class Pair(NamedTuple):
    """The same model twice."""

    case: dict[str, Any]
    head: str
    ours: Any
    theirs: Any
    folder: Path
    """What the reference saved."""


@cache
def cases_of(family: str) -> list[dict[str, Any]]:
    """The CASES of a file."""
    found: list[dict[str, Any]] = runpy.run_path(str(HERE / "cases" / f"{family}.py"))["CASES"]
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each subject that a check is about, and for each way of padding where it asks for one."""
    if "subject" not in metafunc.fixturenames:
        return
    generating, padded = "generating" in metafunc.fixturenames, "variant" in metafunc.fixturenames
    variants = runpy.run_path(str(HERE / "inputs.py"))["variants"]
    values, ids = [], []
    for path in sorted((HERE / "cases").glob("*.py")):
        for number, case in enumerate(cases_of(path.stem)):
            for head in case["heads"]:
                if generating and not (case.get("generate") and head in GENERATING):
                    continue
                for variant in variants(case) if padded else ("",):
                    subject = Subject(path.stem, number, head)
                    values.append((subject, variant) if padded else (subject,))
                    ids.append("/".join(filter(None, (path.stem, case["name"], head, variant))))
    metafunc.parametrize(["subject", "variant"] if padded else ["subject"], values, ids=ids)


GENERATING = ("causal-lm", "seq2seq-lm", "image-text-to-text", "speech-seq2seq", "visual-question-answering")
"""Heads that `generate` is for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All checks of a pair one after the other, so that it is made once."""
    ours = [item for item in items if item.path.parent == HERE and "subject" in item.callspec.params]  # type: ignore[attr-defined]  # pytest.Function has it
    places = [number for number, item in enumerate(items) if item in set(ours)]
    ours.sort(key=lambda item: item.callspec.params["subject"])  # type: ignore[attr-defined]  # the same
    for place, item in zip(places, ours, strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def room() -> dict[str, Any]:
    """The functions of inputs.py and comparing.py."""
    return {**runpy.run_path(str(HERE / "inputs.py")), **runpy.run_path(str(HERE / "comparing.py"))}


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Subject], Pair]:
    """A function: subject -> pair, the last two remembered."""
    transformers.logging.set_verbosity_error()

    @lru_cache(maxsize=2)
    def made(subject: Subject) -> Pair:
        case = cases_of(subject.family)[subject.number]
        folder = tmp_path_factory.mktemp("parity")
        theirs = reference(case, subject.head)
        theirs.save_pretrained(folder)
        family = get_registry().get("models", case["config"]["model_type"])
        ours = resolve(family.heads[subject.head]).from_pretrained(folder)  # type: ignore[attr-defined]  # a model class
        return Pair(case, subject.head, ours, theirs, folder)

    return made


@pytest.fixture
def pair(pairs: Any, subject: Subject) -> Any:
    """Both models of the subject, with eager attention."""
    found = pairs(subject)
    found.ours.set_attn_implementation("eager")
    return found


@pytest.fixture
def generating() -> bool:
    """Asked for by checks that concern generating heads only."""
    return True


def their_class(case: dict[str, Any], head: str) -> Any:
    """The reference's class; "module:Name" where it is not among the public names."""
    module, _, name = case["heads"][head].rpartition(":")
    return getattr(importlib.import_module(module) if module else transformers, name)


def reference(case: dict[str, Any], head: str) -> Any:
    """A random model of theirs. Biases and norms start at 0 and 1, which would hide mistakes: all are moved."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(**case["config"])
    config._attn_implementation = "eager"
    model = their_class(case, head)(config).eval()
    spread = case.get("spread", 0.05)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * spread)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0.0, 0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return model
