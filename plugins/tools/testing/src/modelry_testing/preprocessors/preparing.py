"""What a preprocessor of any role does: loads without torch, prepares, batches, and survives a folder."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from modelry.errors import ModelryError
from modelry_testing.errors import ContractBroken
from modelry_testing.preprocessors.subject import Subject, listed
from modelry_testing.scratch import new_folder
from modelry_testing.tasks.subject import difference

ROLES = ("tokenizer", "image-processor", "video-processor", "feature-extractor", "processor")
_TORCH_FREE = """
import sys
sys.path[:0] = sys.argv[2:]
sys.modules["torch"] = None
from modelry_registry import resolve
resolve(sys.argv[1])
"""


def torch_free(subject: Subject) -> None:
    """The class is imported in an interpreter that has no torch."""
    command = [sys.executable, "-c", _TORCH_FREE, subject.reference, *(one for one in sys.path if one)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1]
        if f"No module named '{subject.reference.partition('.')[0].partition(':')[0]}" in last:
            pytest.skip(f"{subject.reference} is defined in this process: no other can import it")
        raise ContractBroken(f"{subject.reference} cannot be imported without torch: {last}")


def loads(subject: Subject) -> None:
    """By class, and with a role that has an Auto class."""
    loaded = subject.load()
    if type(loaded) is not subject.preprocessor_class:
        raise ContractBroken(f"{subject.reference}.from_pretrained returns a {type(loaded).__name__}")
    if type(loaded).role != subject.role:
        raise ContractBroken(
            f"{subject.reference} has the role {type(loaded).role!r}, and is declared as {subject.role!r}"
        )
    if subject.role not in ROLES:
        raise ContractBroken(f"no Auto class loads the role {subject.role!r}; roles are {', '.join(ROLES)}")


def try_loading(subject: Subject) -> None:
    """Skip where the files, which nobody made for this preprocessor, are none of its own."""
    try:
        subject.load()
    except ContractBroken:
        raise
    except ModelryError as error:
        pytest.skip(
            f"{subject.reference} does not load from the kit's files ({error}): give `write_files` in a test class"
        )


def prepares(subject: Subject) -> None:
    """Finite numbers under names, twice the same."""
    for item, expected in zip(subject.items, subject.alone, strict=True):
        if not expected:
            raise ContractBroken(f"{subject.reference} gives no inputs for {item!r}")
        wrong = [name for name, value in expected.items() if any(not math.isfinite(one) for one in numbers(value))]
        if wrong:
            raise ContractBroken(f"{subject.reference} gives values that are not finite in {', '.join(wrong)}")
        _same(listed(subject.prepare(subject.loaded, item)), expected, f"{subject.reference}, asked again,", 0.0)


def numbers(value: Any) -> Iterator[float]:
    """All numbers in nested lists."""
    if isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, int | float):
        yield value


def _same(found: Any, expected: Any, what: str, tolerance: float) -> None:
    told = difference(found, expected, tolerance, "inputs")
    if told is not None:
        raise ContractBroken(f"{what} gives something else: {told}")


def batch(subject: Subject) -> None:
    """Row by row."""
    together = listed(subject.prepare(subject.loaded, list(subject.items)))
    for row, expected in enumerate(subject.alone):
        for name, value in expected.items():
            if name not in together or len(together[name]) != len(subject.items):
                raise ContractBroken(
                    f"{subject.reference} gives {name} for one item, and not a row of it for each of many"
                )
            found = together[name][row]
            inner = value[0] if isinstance(value, list) and len(value) == 1 and _depth(value) > _depth(found) else value
            _same(found, inner, f"{subject.reference}: row {row} of a batch", subject.tolerance)


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def save_and_reload(subject: Subject) -> None:
    """Through a folder, twice."""
    first, second = new_folder(), new_folder()
    subject.loaded.save_pretrained(first)
    again = subject.load(first)
    for item, expected in zip(subject.items, subject.alone, strict=True):
        _same(listed(subject.prepare(again, item)), expected, f"{subject.reference}, saved and loaded,", 0.0)
    again.save_pretrained(second)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    after = {path.name: path.read_bytes() for path in second.iterdir()}
    if before != after:
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        raise ContractBroken(
            f"{subject.reference}, saved twice, writes {', '.join(changed)} differently the second time"
        )


def refusals(subject: Subject) -> None:
    """No files; and files that hold no JSON."""
    empty, broken = new_folder(), new_folder()
    for path in subject.folder.iterdir():
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
            (broken / path.name).write_text("{ no JSON", encoding="utf-8")
    for folder in (empty, broken):
        try:
            subject.load(folder)
        except ModelryError:
            continue
        except Exception as error:
            raise ContractBroken(
                f"{subject.reference} raises {type(error).__name__} for bad files: raise a ModelryError"
            ) from error
        raise ContractBroken(
            f"{subject.reference} loads from {'an empty folder' if folder is empty else 'files that are no JSON'}"
        )
