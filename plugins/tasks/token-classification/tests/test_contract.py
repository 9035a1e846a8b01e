"""Token classification keeps the contract of tasks."""

from typing import ClassVar

from modelry_testing import TaskContract


class TestTokenClassification(TaskContract):
    name = "token-classification"
    parameters: ClassVar = {"aggregation_strategy": "simple"}
    bad_item = 7
    impossible: ClassVar = (
        {"aggregation_strategy": "most"},
        {"stride": -1},
        {"stride": 4, "aggregation_strategy": "none"},
        {"ignore_labels": "O"},
    )
