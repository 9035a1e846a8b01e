"""Sentence embedding keeps the contract of tasks."""

from typing import ClassVar

from modelry_testing import TaskContract


class TestSentenceEmbedding(TaskContract):
    name = "sentence-embedding"
    bad_item = 7
    impossible: ClassVar = ({"pooling": "median"}, {"max_length": 0}, {"normalize": "perhaps"})
