"""Learning rate schedules: what the rate is at each step, found by name through the registry."""

from modelry_trainer.schedules.making import follows_metric, make_schedule

__all__ = ["follows_metric", "make_schedule"]
