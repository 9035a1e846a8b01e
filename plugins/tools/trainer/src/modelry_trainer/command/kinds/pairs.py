"""A text for a text: translation, summarization."""

from collections.abc import Iterator
from typing import Any

from modelry_trainer.command.data.table import Table
from modelry_trainer.command.kinds.metrics import exact_texts
from modelry_trainer.command.kinds.preparing import Given, Lengths, Prepared, text_of
from modelry_trainer.command.kinds.texts import filled
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.errors import BadRow


def prepare_pairs(given: Given) -> Prepared:
    """Rows with "source" and "target"."""
    from modelry_trainer.collators import DataCollatorForSeq2Seq

    tokenizer, settings = given.preprocessor, given.settings
    sources = Lengths(given.longest, settings.overlong)
    targets = Lengths(settings.max_target_length or given.longest, settings.overlong)

    def rows(table: Table) -> TokenRows:
        def each() -> Iterator[dict[str, Any]]:
            for number, value in table.column("source", why="the text that the model reads"):
                place, target = table.place(number), table.rows[number].get("target")
                if target is None:
                    raise BadRow(f"{place}: there is no 'target', the text that the model is to write")
                text = settings.source_prefix + text_of(value, place, "source")
                answer = text_of(target, place, "target")

                def source(most: int | None, text: str = text) -> dict[str, Any]:
                    return dict(tokenizer(text, truncation=most is not None, max_length=most))

                def wanted(most: int | None, text: str = answer) -> list[int]:
                    found = tokenizer(text_target=text, truncation=most is not None, max_length=most)
                    return list(found["input_ids"])

                read, write = source(None), wanted(None)
                for kept in sources.settled(read, len(read["input_ids"]), place, cut=source):
                    for labels in targets.settled(write, len(write), place, cut=wanted):
                        yield {**kept, "labels": labels}

        return filled(TokenRows(each()), table)

    train = rows(given.train)
    return Prepared(
        train,
        None if given.evaluated is None else rows(given.evaluated),
        lambda model: DataCollatorForSeq2Seq(tokenizer, model=model),
        metrics=exact_texts(tokenizer),
        notes=[*sources.notes(), *targets.notes()],
    )
