"""What the kit raises.

ModelryError
└── ContractBroken (also AssertionError)    a plugin does not do what its kind promises
"""

from modelry_registry import ModelryError


class ContractBroken(ModelryError, AssertionError):
    """A check failed. The message says what was found, and what was expected instead."""
