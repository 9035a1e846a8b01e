"""Containers of sound and pictures, opened with PyAV of any version."""

from typing import Any


def open_container(av: Any, source: Any, **options: Any) -> Any:
    """An `av.container.InputContainer`. A title that is not UTF-8 keeps no file from being read: nobody asks for it.

    Args:
        av: PyAV, which the caller has imported and may have missed.
        source: a path or an address as text, or a file that is open.
    """
    if int(av.__version__.partition(".")[0]) < 19:  # later ones never refuse such a title, and have no such option
        options["metadata_errors"] = "replace"
    return av.open(source, **options)
