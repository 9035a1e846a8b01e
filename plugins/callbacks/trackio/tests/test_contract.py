"""The callback keeps the contract of all plugins."""

import pytest

from modelry_testing.contract import PluginContract

pytest.importorskip("trackio")


class TestTrackio(PluginContract):
    kind = "callbacks"
    name = "trackio"
