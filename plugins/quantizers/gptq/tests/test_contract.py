"""gptq keeps the promises that every scheme keeps."""

from modelry_testing import QuantizerContract


class TestGptq(QuantizerContract):
    name = "gptq"
    error = 0.2
    impossible = ({"bits": 3}, {"group_size": 0}, {"checkpoint_format": "marlin"}, {"rotation": "hadamard"})
