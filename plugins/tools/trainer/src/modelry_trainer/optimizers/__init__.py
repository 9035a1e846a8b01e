"""Optimizers: how weights follow their gradients, found by name through the registry."""

from modelry_trainer.optimizers.groups import decayed_names, parameter_groups
from modelry_trainer.optimizers.keeping import kept_values, thriftier
from modelry_trainer.optimizers.making import adam_parameters, check_optimizer_parameters, make_optimizer, takes

__all__ = [
    "adam_parameters",
    "check_optimizer_parameters",
    "decayed_names",
    "kept_values",
    "make_optimizer",
    "parameter_groups",
    "takes",
    "thriftier",
]
