"""Text generation keeps the contract of tasks."""

from typing import ClassVar

from modelry_testing import TaskContract


class TestTextGeneration(TaskContract):
    name = "text-generation"
    parameters: ClassVar = {"max_new_tokens": 5, "do_sample": False}
    bad_item = 7
    impossible: ClassVar = ({"top_p": 7}, {"max_new_tokens": -1}, {"return_full_text": "perhaps"})
