"""What a video processor does with every form of a film, and with what is none."""

from typing import Any

import numpy as np

from modelry_testing.errors import ContractBroken
from modelry_testing.preprocessors.seeing import refused
from modelry_testing.preprocessors.subject import Subject, listed
from modelry_testing.scratch import new_folder
from modelry_testing.tasks.subject import difference


def forms(subject: Subject) -> None:
    """One film in five forms."""
    import torch
    from PIL import Image

    film: np.ndarray = subject.items[0]
    for form, value in {
        "a stack with channels first": np.ascontiguousarray(np.moveaxis(film, -1, 1)),
        "a tensor": torch.from_numpy(film),
        "a list of arrays": list(film),
        "a list of PIL images": [Image.fromarray(frame) for frame in film],
        "a list of one film": [film],
    }.items():
        _same(subject, listed(subject.loaded(value)), subject.alone[0], form)


def sampling(subject: Subject) -> None:
    """Half of the frames, in three ways."""
    film: np.ndarray = subject.items[0]
    count = len(film)
    taken = [2 * number for number in range(count // 2)]
    expected = listed(subject.loaded(film[taken], do_sample_frames=False))
    clock = {"fps": 10.0}
    for way in ({"num_frames": len(taken)}, {"fps": 5.0}, {"timestamps": [index / 10 for index in taken]}):
        found: dict[str, Any] = listed(subject.loaded(film, video_metadata=clock, **way))
        _same(subject, found, expected, f"{next(iter(way))}={next(iter(way.values()))}")


def refusals(subject: Subject) -> None:
    """Each as the second of two, so that the error can say which."""
    film: np.ndarray = subject.items[0]
    text = new_folder() / "film.mp4"
    text.write_text("no film")
    nan = np.full((len(film), 9, 9, 3), np.nan, np.float32)
    for what, value in {
        "a text file named .mp4": text,
        "an empty file": b"",
        "a file that is not there": "nowhere/film.mp4",
        "a list without frames": [],
        "frames of NaN": nan,
    }.items():
        refused(subject, [film, value], what)
    refused(subject, [film, film[:1]], "a film with too few frames", num_frames=len(film))


def _same(subject: Subject, found: Any, expected: Any, what: str) -> None:
    told = difference(found, expected, 0.0, "inputs")
    if told is not None:
        raise ContractBroken(f"{subject.reference} makes something else of {what} of the same film: {told}")
