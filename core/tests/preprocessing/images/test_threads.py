"""Threads change how long it takes, and nothing else."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from modelry.errors import ModelryWarning, PreprocessorError
from modelry.preprocessing import ImageProcessor
from modelry.preprocessing.images import threads


@pytest.mark.parametrize("count", [1, 3])
def test_the_same_in_any_number_of_threads(
    count: int, photographs: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: count)
    processor = ImageProcessor(size=20)
    many = photographs * 4
    found = processor(many, return_tensors="np")["pixel_values"]
    for number, image in enumerate(many):
        np.testing.assert_array_equal(found[number], processor(image, return_tensors="np")["pixel_values"][0])
    with pytest.raises(PreprocessorError, match=r"images\[5\] is empty"):
        processor([*many[:5], b"", *many, b""])
    places: set[int] = set()
    assert threads.each(lambda one: places.add(threading.get_ident()) or one, [(1,), (2,), (3,), (4,)]) == [1, 2, 3, 4]
    assert (threading.get_ident() in places) == (count == 1)


def test_how_many(run_fresh: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    assert threads.thread_count() == 5
    code = "import os; from modelry.preprocessing.images.threads import thread_count; n = thread_count()\n"
    code += "os.environ['OMP_NUM_THREADS'] = '3,1'; m = thread_count(); del os.environ['OMP_NUM_THREADS']\n"
    assert run_fresh(code + "print(n > 0, m, thread_count() == len(os.sched_getaffinity(0)))").split()[1:] == [
        "3",
        "True",
    ]


def test_warnings_come_out_of_threads(photographs: list[Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    buffer = io.BytesIO()
    photographs[0].save(buffer, "GIF", save_all=True, append_images=photographs[1:2])
    with pytest.warns(ModelryWarning, match=r"images\[4\] has 2 frames"):
        ImageProcessor(size=8)([*photographs, photographs[0], buffer.getvalue()])
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(ImageProcessor(size=8), [photographs * 2, photographs * 2]))
    np.testing.assert_array_equal(both[0]["pixel_values"], both[1]["pixel_values"])
