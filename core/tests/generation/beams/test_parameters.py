"""What all strategies with beams refuse."""

import pytest

from modelry.errors import GenerationError
from modelry.generation import GenerationConfig
from modelry.generation.beams import BeamParameters


def test_values_come_from_the_config():
    config = GenerationConfig(num_beams=4, num_return_sequences=2, length_penalty=0.5, early_stopping="never")
    found = BeamParameters.from_config(config)
    assert (found.num_beams, found.num_return_sequences) == (4, 2)
    assert (found.length_penalty, found.early_stopping) == (0.5, "never")


def test_more_returned_than_beams():
    with pytest.raises(GenerationError, match="num_return_sequences=3 is more than num_beams=2"):
        BeamParameters.from_config(GenerationConfig(num_beams=2, num_return_sequences=3))
