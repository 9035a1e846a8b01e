"""What an image processor does with every form of a picture, and with what is none."""

import base64
from typing import Any

import numpy as np
import pytest

from modelry.errors import ModelryError
from modelry_testing.errors import ContractBroken
from modelry_testing.preprocessors.preparing import numbers
from modelry_testing.preprocessors.subject import Subject, listed
from modelry_testing.scratch import new_folder
from modelry_testing.tasks.subject import difference
from modelry_testing.toys.pictures import encoded


def forms(subject: Subject) -> None:
    """One picture in ten forms."""
    import torch
    from PIL import Image

    pixels: np.ndarray = subject.items[0]
    data = encoded(pixels)
    path = new_folder() / "picture.png"
    path.write_bytes(data)
    first = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    text = base64.b64encode(data).decode()
    for form, value in {
        "an array with channels first": first,
        "a tensor": torch.from_numpy(first),
        "nested lists": pixels.tolist(),
        "a PIL image": Image.fromarray(pixels),
        "a path": path,
        "a path as text": str(path),
        "bytes": data,
        "base64 text": text,
        "a data: URI": f"data:image/png;base64,{text}",
    }.items():
        told = difference(listed(subject.prepare(subject.loaded, value)), subject.alone[0], 0.0, "inputs")
        if told is not None:
            raise ContractBroken(f"{subject.reference} makes something else of {form} of the same picture: {told}")


def modes(subject: Subject) -> None:
    """Each gives inputs of the same names and kinds as an RGB picture, and finite ones."""
    pixels: np.ndarray = subject.items[0]
    files = {mode: encoded(pixels, mode) for mode in ("L", "P", "RGBA", "1")}
    files["CMYK"] = encoded(pixels, "CMYK", "JPEG")
    files["I;16"] = encoded(pixels[:, :, 0].astype(np.uint16) * 257, "I;16")
    for mode, data in files.items():
        try:
            found = listed(subject.prepare(subject.loaded, data))
        except Exception as error:
            raise ContractBroken(f"{subject.reference} cannot prepare an image of mode {mode}: {error}") from error
        if set(found) != set(subject.alone[0]):
            raise ContractBroken(f"{subject.reference} gives {', '.join(found)} for an image of mode {mode}")
        for name, value in found.items():
            if len(list(numbers(value))) != len(list(numbers(subject.alone[0][name]))):
                raise ContractBroken(f"{subject.reference}: {name} of an image of mode {mode} has another size")


def one_call(subject: Subject) -> None:
    """Rescaling, which every processor has, switched off once."""
    processor: Any = subject.loaded
    if not hasattr(processor, "do_rescale"):
        pytest.skip(f"{subject.reference} has no parameter do_rescale to try this with")
    changed = listed(processor(subject.items[0], do_rescale=not processor.do_rescale))
    if difference(changed, subject.alone[0], 0.0, "inputs") is None:
        raise ContractBroken(f"{subject.reference} gives the same with do_rescale={not processor.do_rescale} in a call")
    if difference(listed(processor(subject.items[0])), subject.alone[0], 0.0, "inputs") is not None:
        raise ContractBroken(f"{subject.reference} remembers a parameter that was given for one call")
    try:
        processor(subject.items[0], do_resacle=False)
    except ModelryError:
        return
    except Exception as error:
        raise ContractBroken(f"{subject.reference} raises {type(error).__name__} for an unknown parameter") from error
    raise ContractBroken(f"{subject.reference} takes a parameter that it does not know (do_resacle)")


def refusals(subject: Subject) -> None:
    """Each as the second of two, so that the error can say which."""
    pixels: np.ndarray = subject.items[0]
    data = encoded(pixels)
    text = new_folder() / "picture.png"
    text.write_text("no picture")
    nan = np.full((9, 9, 3), np.nan, np.float32)
    for what, value in {
        "a text file named .png": text,
        "a file that is cut": data[: len(data) // 2],
        "an empty file": b"",
        "a file that is not there": "nowhere/picture.png",
        "an array without pixels": np.zeros((0, 9, 3), np.uint8),
        "an array of five channels": np.zeros((9, 9, 5), np.uint8),
        "an array of one dimension": np.zeros(9, np.uint8),
        "NaN": nan,
    }.items():
        refused(subject, [pixels, value], what)


def refused(subject: Subject, given: list[Any], what: str, **options: Any) -> None:
    """
    Raises:
        ContractBroken: it is taken, or another error than ours is raised, or one that does not name the second item.
    """
    try:
        found = subject.loaded(given, **options)
    except ModelryError as error:
        if "[1]" not in str(error):
            raise ContractBroken(f"{subject.reference} refuses {what}, and does not say which item: {error}") from error
        return
    except Exception as error:
        raise ContractBroken(
            f"{subject.reference} raises {type(error).__name__} for {what}: raise a ModelryError"
        ) from error
    raise ContractBroken(f"{subject.reference} takes {what} and gives {', '.join(listed(found))}")
