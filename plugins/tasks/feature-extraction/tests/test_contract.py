"""Feature extraction keeps the contract of tasks."""

from typing import ClassVar

from modelry_testing import TaskContract


class TestFeatureExtraction(TaskContract):
    name = "feature-extraction"
    bad_item = 7
    impossible: ClassVar = (
        {"return_tensors": "perhaps"},
        {"max_length": 0},
        {"truncation": True, "tokenize_kwargs": {"truncation": False}},
    )
