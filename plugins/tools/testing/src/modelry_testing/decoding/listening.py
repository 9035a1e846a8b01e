"""A streamer that remembers what it was given."""

from typing import Literal

from torch import Tensor

from modelry.generation.streamers import BaseStreamer


class Listener(BaseStreamer):
    """Keeps the ids of each part, and "end" for each end."""

    def __init__(self) -> None:
        self.heard: list[list[int] | Literal["end"]] = []

    def put(self, value: Tensor) -> None:
        """Ids of the prompt, then of the new tokens."""
        self.heard.append(value.reshape(-1).tolist())

    def end(self) -> None:
        """Nothing more will come."""
        self.heard.append("end")

    @property
    def parts(self) -> list[list[int]]:
        """What was heard, without the ends."""
        return [one for one in self.heard if one != "end"]

    @property
    def ends(self) -> int:
        """How often the stream has ended."""
        return self.heard.count("end")
