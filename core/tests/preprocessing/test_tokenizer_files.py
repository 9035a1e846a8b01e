"""The files of a tokenizer are read with suspicion."""

import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing.tokenizer_files import TokenizerFiles


def test_a_number_of_too_many_digits() -> None:
    files = TokenizerFiles({"tokenizer_config.json": f'{{"x": {"9" * 5000}}}'}, "somewhere")
    with pytest.raises(PreprocessorError, match=r"somewhere/tokenizer_config\.json is not valid JSON: Exceeds"):
        files.json("tokenizer_config.json")
