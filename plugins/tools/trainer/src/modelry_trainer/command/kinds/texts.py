"""Plain texts: every token is guessed from those before it, or masked ones from those around them."""

from collections.abc import Callable, Iterator
from typing import Any

from modelry_trainer.command.data.table import Table
from modelry_trainer.command.kinds.packs import packed
from modelry_trainer.command.kinds.preparing import Given, Lengths, Prepared, text_of
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.errors import TrainFileError


def prepare_causal(given: Given) -> Prepared:
    """Rows with "text"; what is read is what is learnt, the end included."""
    from modelry_trainer.collators import DataCollatorForCompletionOnly

    tokenizer, limit = given.preprocessor, given.longest
    lengths = Lengths(limit, given.settings.overlong)
    end = ending(given)

    def tokenize(text: str, place: str) -> list[dict[str, Any]]:
        ids: list[int] = [*tokenizer(text)["input_ids"]]
        ids += [] if end is None or ids[-1:] == [end] else [end]
        pieces = lengths.settled(
            ids,
            len(ids),
            place,
            cut=lambda most: ids[:most],
            split=lambda most: [ids[at : at + most] for at in range(0, len(ids), most)],
        )
        return [{"input_ids": piece, "labels": piece} for piece in pieces if len(piece) > 1]

    train = _tokenized(given.train, tokenize)
    evaluated = None if given.evaluated is None else _tokenized(given.evaluated, tokenize)
    made = Prepared(train, evaluated, lambda model: DataCollatorForCompletionOnly(tokenizer), notes=lengths.notes())
    return packed(made, size=limit) if given.settings.packing else made


def prepare_masked(given: Given) -> Prepared:
    """Rows with "text", masked anew whenever they are read."""
    from modelry_trainer.collators import DataCollatorForLanguageModeling

    tokenizer, settings = given.preprocessor, given.settings
    lengths = Lengths(given.longest, settings.overlong)
    wanted = {"return_special_tokens_mask": True, "return_offsets_mapping": settings.whole_word_mask}

    def tokenize(text: str, place: str) -> list[dict[str, Any]]:
        def cut(most: int) -> dict[str, Any]:
            return dict(tokenizer(text, truncation=True, max_length=most, **wanted))

        def split(most: int) -> list[dict[str, Any]]:
            pieces = tokenizer(text, truncation=True, max_length=most, return_overflowing_tokens=True, **wanted)
            names = [name for name in pieces if name != "overflow_to_sample_mapping"]
            return [{name: pieces[name][row] for name in names} for row in range(len(pieces["input_ids"]))]

        row = dict(tokenizer(text, truncation=False, **wanted))
        return lengths.settled(row, len(row["input_ids"]), place, cut=cut, split=split)

    def collator(model: Any) -> Any:
        return DataCollatorForLanguageModeling(
            tokenizer, mlm_probability=settings.mlm_probability, whole_word_mask=settings.whole_word_mask
        )

    collator(None)  # what cannot be is refused before the model is loaded
    train = _tokenized(given.train, tokenize)
    evaluated = None if given.evaluated is None else _tokenized(given.evaluated, tokenize)
    return Prepared(train, evaluated, collator, notes=lengths.notes())


def ending(given: Given) -> int | None:
    """The id that ends a text, where ends are to be learnt.

    Raises:
        TrainFileError: the tokenizer has none.
    """
    if not given.settings.add_eos:
        return None
    end: int | None = given.preprocessor.eos_token_id
    if end is None:
        raise TrainFileError(f"the tokenizer of {given.name} has no eos_token: set preprocessing.add_eos to false")
    return end


def _tokenized(table: Table, tokenize: Callable[[str, str], list[dict[str, Any]]]) -> TokenRows:
    def rows() -> Iterator[dict[str, Any]]:
        for number, value in table.column("text", why="the text to learn from"):
            place = table.place(number)
            yield from tokenize(text_of(value, place, "text"), place)

    return filled(TokenRows(rows()), table)


def filled(rows: TokenRows, table: Table) -> TokenRows:
    """Rows, of which there are some.

    Raises:
        TrainFileError: nothing is left of the table.
    """
    if not len(rows):
        raise TrainFileError(f"no row of {table.name} is left: all are empty, or too long (preprocessing.overlong)")
    return rows
