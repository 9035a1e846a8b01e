"""A tiny BERT for the tests of this family."""

from collections.abc import Callable
from typing import Any

import pytest

from modelry_bert import BertConfig
from modelry_bert._plugin import TINY


@pytest.fixture
def config() -> Callable[..., BertConfig]:
    def make(**changes: Any) -> BertConfig:
        return BertConfig(**{**TINY, **changes})

    return make
