"""The configuration: what is read is what is written, impossible values are refused, and no torch is needed."""

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from modelry import ModelConfig
from modelry.errors import ConfigError
from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Subject, quietly
from modelry_testing.packages import Package

STANDARD = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_TORCH_FREE = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules["torch"] = None
from modelry_registry import resolve
resolve(sys.argv[2])
"""


def tiny(subject: Subject) -> None:
    """The tiny values make a configuration of the family's model_type with the standard names."""
    config = subject.config()
    if config.model_type != subject.family.model_type:
        raise ContractBroken(
            f"the tiny configuration has model_type {config.model_type!r}, not {subject.family.model_type!r}"
        )
    text = config.get_text_config()
    if "text" in subject.family.modalities:
        missing = [name for name in ("hidden_size", "num_hidden_layers", "vocab_size") if not hasattr(text, name)]
        if missing:
            raise ContractBroken(f"{type(text).__name__} has no {', '.join(missing)}: add a property for each")


def round_trip(subject: Subject) -> None:
    """Values survive to_dict and from_dict, config.json, and a key that nobody knows survives too."""
    strange = {"a_key_that_nobody_knows": {"kept": [1, 2.5, None, "ü"]}}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = subject.config(**strange)
    if not any("a_key_that_nobody_knows" in str(one.message) for one in caught):
        raise ContractBroken("an unknown key of config.json is not named in a warning")
    again = quietly(lambda: type(config).from_dict(config.to_dict()))
    _agree(again.to_dict(), config.to_dict(), "from_dict(to_dict())")
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        written = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        read = quietly(lambda: type(config).from_pretrained(folder))
    _agree(read.to_dict(), config.to_dict(), "from_pretrained(save_pretrained())")
    for key, value in {**subject.values, **strange}.items():
        if key not in written:
            raise ContractBroken(
                f"{key} is in the configuration that was read, and not in the config.json that was written"
            )
        if _plain(written[key]) != _plain(value) and not _contains(written[key], value):
            raise ContractBroken(f"{key} was {value!r}, and config.json says {written[key]!r}")


def _agree(found: Mapping[str, Any], expected: Mapping[str, Any], what: str) -> None:
    changed = {key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)}
    if changed:
        raise ContractBroken(f"{what} changes {', '.join(sorted(changed))}")


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=dict))


def _contains(written: Any, given: Any) -> bool:
    """Whether a nested configuration was written with its defaults filled in."""
    if isinstance(written, Mapping) and isinstance(given, Mapping):
        return all(key in written and _contains(written[key], value) for key, value in given.items())
    return bool(_plain(written) == _plain(given))


def refusals(subject: Subject, impossible: Iterable[Mapping[str, Any]]) -> None:
    """Impossible sizes, wrong types and what the family lists are refused; the error names the key."""
    config = subject.config()
    cases: list[Mapping[str, Any]] = list(impossible)
    for key in STANDARD:
        if key in type(config).model_fields and isinstance(getattr(config, key), int):
            cases += [{key: -1}, {key: 0}, {key: "many"}]
    for changes in cases:
        try:
            quietly(partial(subject.config, **changes))
        except ConfigError as error:
            if not any(key in str(error) for key in changes):
                raise ContractBroken(
                    f"{dict(changes)!r} is refused, but the error names no key of it: {error}"
                ) from error
        else:
            raise ContractBroken(f"{type(config).__name__} accepts {dict(changes)!r}: refuse what cannot be")
    for text in ("{", "[]", '"llama"'):
        _refuse_file(type(config), text)


def _refuse_file(config_class: type[ModelConfig], text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(text, encoding="utf-8")
        try:
            config_class.from_pretrained(folder)
        except ConfigError:
            return
    raise ContractBroken(f"{config_class.__name__}.from_pretrained accepts a config.json that holds {text!r}")


def torch_free(subject: Subject, package: Package) -> None:
    """The configuration's module imports no torch."""
    command = [sys.executable, "-c", _TORCH_FREE, str(package.folder), subject.family.config]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:]
        raise ContractBroken(f"{subject.family.config} cannot be imported without torch: {' '.join(last)}")
