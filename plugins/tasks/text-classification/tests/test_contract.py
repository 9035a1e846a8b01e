"""Text classification keeps the contract of tasks."""

from typing import ClassVar

from modelry_testing import TaskContract


class TestTextClassification(TaskContract):
    name = "text-classification"
    bad_item = 7
    impossible: ClassVar = ({"top_k": 0}, {"function_to_apply": "cube"}, {"max_length": -1})
