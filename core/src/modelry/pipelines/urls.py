"""What a user's URL leads to, fetched where an item is read, within what the call allows."""

from typing import Any, Protocol

from pydantic import Field

from modelry.errors import ModelryError, PreprocessorError
from modelry.fetching import fetch, is_url
from modelry.pipelines.parameters import TaskParameters

MOST_BYTES = 64 << 20
"""The most that is fetched of a URL, unless a task says otherwise."""


class Limits(Protocol):
    """What a call says of URLs: `UrlParameters`, or parameters with the same two fields."""

    @property
    def allow_private(self) -> bool | None: ...

    @property
    def timeout(self) -> float | None: ...


class UrlParameters(TaskParameters):
    """Keywords of a task that reads files."""

    allow_private: bool | None = Field(
        None, description="URLs may lead into our own network; unset: as a variable says"
    )
    timeout: float | None = Field(None, gt=0, description="seconds for what a URL leads to; unset: 30")


def fetched(value: Any, limits: Limits, *, name: str, max_bytes: int = MOST_BYTES) -> Any:
    """The bytes that a URL leads to; of a list that holds URLs, such a list; everything else as it is.

    Args:
        name: what errors call it.

    Raises:
        PreprocessorError: it cannot be fetched, or must not be (see `modelry.fetching`).
    """
    if isinstance(value, list | tuple) and any(isinstance(one, str) for one in value):
        return [fetched(one, limits, name=name, max_bytes=max_bytes) for one in value]
    if not is_url(value):
        return value
    time = {} if limits.timeout is None else {"timeout_seconds": limits.timeout}
    try:
        return fetch(value, max_bytes=max_bytes, allow_private=limits.allow_private, **time)
    except ModelryError as error:
        raise PreprocessorError(f"{name}: {error}") from error
