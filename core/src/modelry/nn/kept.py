"""What modules keep of a pass on its way through them: hidden states, attention weights, what routers said."""

from collections import UserList
from typing import final

from torch import Tensor


@final
class Kept(UserList[Tensor]):
    """A list that is handed to modules, which append to it.

    It is no `list`: what moves or casts a module's inputs (accelerate's hooks, FSDP with mixed precision) makes new
    lists of those, and the caller's would stay empty.
    """
