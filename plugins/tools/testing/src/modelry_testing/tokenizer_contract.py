"""The contract of a family's tokenizer: text survives, offsets point at it, padding and truncation do what they say."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from modelry_testing.contract import check
from modelry_testing.preprocessor_contract import PreprocessorContract
from modelry_testing.preprocessors import tokenizing
from modelry_testing.toys.tokenizer_files import write_tokenizer

_RUNS = ("test_registered", "test_loads", "test_prepares")
TEXTS = (
    "the inn in the thin rain",
    "Grüße aus München: 12 €!",
    "日本語とعربى",
    "def f(x):\n\treturn  x ** 2\n",
    "🙂👍🏽",
    " ",
)


class TokenizerContract(PreprocessorContract):
    """What every tokenizer keeps.

    class TestLlamaTokenizer(TokenizerContract):
        model_type = "llama"

    The files are those of a small byte-level tokenizer; a family whose tokenizer reads others overrides `write_files`.
    """

    role = "tokenizer"
    exact: ClassVar[bool] = True
    """Whether decoding gives the text back; a tokenizer that lowers or drops characters says False."""

    def write_files(self, folder: Path) -> None:
        """A byte-level tokenizer with four merges."""
        write_tokenizer(folder)

    def items(self) -> Sequence[str]:
        """Letters, other scripts, code, emoji and a space."""
        return TEXTS

    @check(after=_RUNS)
    def test_round_trip(self) -> None:
        """Decoding gives the text back; special tokens go when they are not wanted."""
        tokenizing.round_trip(self.subject(), exact=self.exact)

    @check(after=_RUNS)
    def test_offsets(self) -> None:
        """Offsets lie in the text, in order, cover it, and point at what the token says."""
        tokenizing.offsets(self.subject())

    @check(after=(*_RUNS, "test_batch"))
    def test_padding(self) -> None:
        """Padding to the longest, to a length and to a multiple, on either side, with a mask that says so."""
        tokenizing.padding(self.subject())

    @check(after=_RUNS)
    def test_truncation(self) -> None:
        """Truncation keeps the beginning, or the end where it is told to, and no more tokens than allowed."""
        tokenizing.truncation(self.subject())

    @check(after=_RUNS)
    def test_special_tokens(self) -> None:
        """Special tokens have ids, are one token in a text, and are marked in the special tokens mask."""
        tokenizing.special_tokens(self.subject())

    @check(after=_RUNS)
    def test_pairs(self) -> None:
        """Two texts are told apart by sequence ids."""
        tokenizing.pairs(self.subject())

    @check(after=_RUNS)
    def test_tensors(self) -> None:
        """return_tensors="pt" and "np" hold the numbers of the lists."""
        tokenizing.tensors(self.subject())
