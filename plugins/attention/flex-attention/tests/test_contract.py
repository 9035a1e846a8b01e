"""Flex attention keeps the promises that every attention function keeps."""

from modelry_testing import AttentionContract


class TestFlexAttention(AttentionContract):
    name = "flex_attention"
