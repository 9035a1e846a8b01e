"""The command keeps the contract of all plugins."""

from modelry_testing.contract import PluginContract


class TestEval(PluginContract):
    kind = "commands"
    name = "eval"
