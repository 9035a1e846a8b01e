"""What a feature extractor does with a sound: every form of it is the same sound, rates, padding, and what is none."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelry.errors import PreprocessorError
from modelry_testing.errors import ContractBroken
from modelry_testing.preprocessors.preparing import numbers
from modelry_testing.preprocessors.subject import Subject, listed
from modelry_testing.scratch import new_folder
from modelry_testing.tasks.subject import difference


def forms(subject: Subject) -> None:
    """Arrays of either precision, tensors, lists and mappings."""
    extractor, sound = subject.loaded, np.asarray(subject.items[0], dtype=np.float32)
    rate = extractor.sampling_rate
    same: dict[str, Any] = {
        "float64": sound.astype(np.float64),
        "a tensor": torch.from_numpy(sound),
        "a list": sound.tolist(),
        "an array with its rate": {"array": sound, "sampling_rate": rate},
        "stereo": {"array": np.stack((sound, sound), axis=1), "sampling_rate": rate},
        "raw PCM": {"raw": sound.astype("<f4").tobytes(), "sampling_rate": rate, "format": "f32le"},
    }
    for what, given in same.items():
        told = difference(listed(subject.prepare(extractor, given)), subject.alone[0], 1e-6, "inputs")
        if told is not None:
            raise ContractBroken(f"{subject.reference} hears something else in {what} than in an array: {told}")


def rates(subject: Subject) -> None:
    """Sounds of 10 ms at telephone and at studio rates, and silence, give finite inputs of the same names."""
    extractor = subject.loaded
    for rate in (8000, 192_000, extractor.sampling_rate):
        for level in (0.0, 0.1):
            sound = np.full(rate // 100, level, dtype=np.float32)
            found = listed(subject.prepare(extractor, {"array": sound, "sampling_rate": rate}))
            if found.keys() != subject.alone[0].keys():
                raise ContractBroken(f"{subject.reference} gives {sorted(found)} for a sound of {rate} Hz")
            if not all(np.isfinite(list(numbers(value))).all() for value in found.values()):
                raise ContractBroken(f"{subject.reference}: 10 ms of {level} at {rate} Hz become no finite numbers")


def padding(subject: Subject) -> None:
    """One tensor for many, with a mask that says what is padding, where one is asked for."""
    extractor, sounds = subject.loaded, [np.asarray(one, dtype=np.float32) for one in subject.items]
    made = extractor(sounds, padding="longest", return_attention_mask=True, return_tensors="pt")
    name, values = next(iter(made.items()))
    if not isinstance(values, torch.Tensor) or len(values) != len(sounds):
        raise ContractBroken(f"padding='longest' with return_tensors='pt' gives no (rows, …) tensor of {name}")
    mask = made.get("attention_mask")
    if not isinstance(mask, torch.Tensor) or mask.ndim != 2:
        raise ContractBroken("return_attention_mask=True gives no (rows, steps) attention_mask")
    if int(mask.sum(1).argmax()) != int(np.argmax([len(one) for one in sounds])):
        raise ContractBroken("attention_mask does not mark the longest sound as the longest")
    width = 4 * (max(map(len, sounds)) // 4 + 1)
    cut = extractor(sounds, padding="max_length", max_length=width, truncation=True, return_tensors="np")
    if not isinstance(cut[name], np.ndarray):
        raise ContractBroken("return_tensors='np' gives no array")


def refusals(subject: Subject) -> None:
    """What is no sound, one of several: a PreprocessorError that names it."""
    folder, good = new_folder(), np.asarray(subject.items[0], dtype=np.float32)
    text = folder / "words.wav"
    text.write_text("these are words\n" * 9)
    empty = folder / "nothing.wav"
    empty.write_bytes(b"")
    bad: dict[str, Any] = {
        "no samples": np.zeros(0, dtype=np.float32),
        "NaN": np.array([0.1, np.nan, 0.2], dtype=np.float32),
        "a file that is not there": folder / "absent.wav",
        "an empty file": empty,
        "a text file": text,
        "a wave that is cut": _cut(folder),
        "no sound": object(),
    }
    for what, given in bad.items():
        _refused(partial(subject.prepare, subject.loaded, [good, given]), what, name="1")
    _refused(lambda: subject.prepare(subject.loaded, []), "an empty list", name="no sound")
    _refused(lambda: subject.loaded(good, a_word_that_nobody_knows=1), "an unknown keyword", name="a_word")


def _cut(folder: Path) -> Path:
    """A header that promises 1,000 samples, and 10 of them."""
    path = folder / "cut.wav"
    size, rate = (2036).to_bytes(4, "little"), (16000).to_bytes(4, "little")
    form = b"fmt " + (16).to_bytes(4, "little") + b"\x01\x00\x01\x00" + rate + (32000).to_bytes(4, "little")
    path.write_bytes(
        b"RIFF" + size + b"WAVE" + form + b"\x02\x00\x10\x00data" + (2000).to_bytes(4, "little") + bytes(20)
    )
    return path


def _refused(call: Callable[[], Any], what: str, *, name: str) -> None:
    try:
        call()
    except PreprocessorError as error:
        if name not in str(error):
            raise ContractBroken(f"the error about {what} does not name it: {error}") from error
    except Exception as error:
        raise ContractBroken(f"{what} raises {type(error).__name__} and no PreprocessorError: {error}") from error
    else:
        raise ContractBroken(f"{what} is heard as a sound: refuse it")
