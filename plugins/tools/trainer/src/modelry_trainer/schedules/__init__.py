"""Learning rate schedules: what the rate is at each step, found by name through the registry."""

from modelry_trainer.schedules.making import check_schedule_parameters, follows_metric, make_schedule

__all__ = ["check_schedule_parameters", "follows_metric", "make_schedule"]
