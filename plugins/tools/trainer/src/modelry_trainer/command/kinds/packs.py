"""Several rows in one: what becomes of prepared rows where preprocessing.packing is on."""

from collections.abc import Sequence
from dataclasses import replace

from modelry_trainer.command.kinds.preparing import Prepared
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.errors import TrainFileError
from modelry_trainer.packing import PackedRows


def packed(made: Prepared, *, size: int | None) -> Prepared:
    """The same rows, as many together as `size` tokens hold.

    Raises:
        TrainFileError: nobody says how many that are.
    """
    from modelry_trainer.collators import DataCollatorWithFlattening

    if size is None:
        raise TrainFileError("preprocessing.packing is on: say in preprocessing.max_length how many tokens a row holds")

    def packs(rows: TokenRows) -> PackedRows:
        lengths: Sequence[int] = rows.lengths().tolist()
        return PackedRows(rows, size=size, lengths=lengths)

    evaluated = None if made.evaluated is None else packs(made.evaluated)
    return replace(
        made, train=packs(made.train), evaluated=evaluated, collator=lambda _: DataCollatorWithFlattening(), packs=True
    )
