"""The kernel's own attention functions keep the promises that every one keeps."""

from modelry_testing import AttentionContract


class TestEager(AttentionContract):
    name = "eager"


class TestSdpa(AttentionContract):
    name = "sdpa"
