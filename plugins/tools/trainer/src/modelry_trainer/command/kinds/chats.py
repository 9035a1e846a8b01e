"""Chats: the model learns what the assistant says. Where it speaks, the chat template tells (`assistant_turns`)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from modelry.errors import ModelryError
from modelry_trainer.collators.labels import IGNORED
from modelry_trainer.command.data.table import Row, Table
from modelry_trainer.command.kinds.packs import packed
from modelry_trainer.command.kinds.preparing import Given, Lengths, Prepared, text_of
from modelry_trainer.command.kinds.texts import ending, filled
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.errors import BadRow, TrainFileError

Ids = tuple[list[int], list[int]]
"""Of a row: ids and labels."""


def prepare_chats(given: Given) -> Prepared:
    """Rows with "messages" (and "tools"), or with "prompt" and "completion", which are texts or messages."""
    from modelry_trainer.collators import DataCollatorForCompletionOnly

    tokenizer, settings = given.preprocessor, given.settings
    if settings.chat_template is not None:
        tokenizer.chat_template = _template(settings.chat_template)
    reader = _Reader(given)
    lengths = Lengths(given.longest, settings.overlong)
    train, notes = reader.rows(given.train, lengths)
    evaluated, more = (None, []) if given.evaluated is None else reader.rows(given.evaluated, lengths)
    notes = [*lengths.notes(), *notes, *more]
    made = Prepared(train, evaluated, lambda model: DataCollatorForCompletionOnly(tokenizer), notes=notes)
    return packed(made, size=given.longest) if settings.packing else made


def _first_tokens(row: Mapping[str, list[int]], most: int) -> dict[str, list[int]]:
    return {name: values[:most] for name, values in row.items()}


def _template(given: str) -> str:
    if "{" in given:
        return given
    try:
        return Path(given).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise TrainFileError(f"preprocessing.chat_template names {given}, which cannot be read: {error}") from error


class _Reader:
    def __init__(self, given: Given) -> None:
        self.given, self.tokenizer = given, given.preprocessor

    def rows(self, table: Table, lengths: Lengths) -> tuple[TokenRows, list[str]]:
        """Tokenized rows, and a line on those that nothing can be learnt from."""
        silent: list[str] = []

        def each() -> Iterator[dict[str, Any]]:
            for number in range(len(table)):
                place = table.place(number)
                ids, labels = self._read(table.rows[number], place)
                both = {"input_ids": ids, "labels": labels}
                for row in lengths.settled(both, len(ids), place, cut=partial(_first_tokens, both)):
                    if all(label == IGNORED for label in row["labels"][1:]):
                        silent.append(place)
                    else:
                        yield row

        rows = filled(TokenRows(each()), table)
        many = f"of {len(silent)} rows nothing is left to learn once they are cut; they are left out (the first: "
        return rows, [f"{many}{silent[0]})"] if silent else []

    def _read(self, row: Row, place: str) -> Ids:
        try:
            if row.get("messages") is not None:
                return self._chat(row["messages"], row, place, spoken=())
            if row.get("prompt") is not None and row.get("completion") is not None:
                prompt, completion = row["prompt"], row["completion"]
                if isinstance(prompt, str) and isinstance(completion, str):
                    return self._texts(prompt, completion)
                return self._chat(completion, row, place, spoken=_messages(prompt, place, "prompt"))
        except BadRow:
            raise
        except ModelryError as error:
            raise BadRow(f"{place}: {error}") from error
        has = ", ".join(key for key in row if row[key] is not None) or "nothing"
        raise BadRow(
            f"{place}: a chat stands in 'messages', or in 'prompt' and 'completion'; the row has {has} "
            "(--data.columns.messages NAME says which column it is)"
        )

    def _texts(self, prompt: str, completion: str) -> Ids:
        """A prompt and what follows it, as they stand."""
        found = self.tokenizer(prompt + completion, return_offsets_mapping=True)
        ids: list[int] = [*found["input_ids"]]
        offsets = found["offset_mapping"]
        labels = [one if stop > len(prompt) else IGNORED for one, (_, stop) in zip(ids, offsets, strict=True)]
        end = ending(self.given)
        if end is not None and ids[-1:] != [end]:
            ids, labels = [*ids, end], [*labels, end]
        return (ids, labels) if self.given.settings.completion_only else (ids, ids)

    def _chat(self, value: Any, row: Row, place: str, *, spoken: Sequence[Mapping[str, Any]]) -> Ids:
        """A chat; of what was spoken before it nothing is learnt."""
        from modelry_trainer.collators.assistant_turns import ASSISTANT, tokenized

        if not self.tokenizer.chat_template:
            raise TrainFileError(
                f"{self.given.name} has no chat template, so it was not made for chats: name one in "
                "preprocessing.chat_template, or write rows with texts in 'prompt' and 'completion'"
            )
        said = _messages(value, place, "completion" if spoken else "messages")
        if not any(message["role"] == ASSISTANT for message in said):
            raise BadRow(f"{place}: the assistant says nothing in this chat, so there is nothing to learn from it")
        values = {"tools": row["tools"]} if row.get("tools") else {}
        if not self.given.settings.completion_only:
            ids = list(self.tokenizer.apply_chat_template([*spoken, *said], **values)["input_ids"])
            return ids, ids
        ids, flags = tokenized(self.tokenizer, [*spoken, *said], max_length=None, **values)
        before = 0
        if spoken:
            prompt = self.tokenizer.apply_chat_template(list(spoken), add_generation_prompt=True, **values)
            before = len(prompt["input_ids"])
        return ids, [
            one if flag and number >= before else IGNORED
            for number, (one, flag) in enumerate(zip(ids, flags, strict=True))
        ]


def _messages(value: Any, place: str, name: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        shown = "empty" if isinstance(value, Sequence) and not value else f"a {type(value).__name__}"
        raise BadRow(
            f'{place}: {name!r} is {shown}: a list of messages is needed, {{"role": ..., "content": ...}} each'
        )
    for number, message in enumerate(value):
        where = f"{place}, message {number}"
        if not isinstance(message, Mapping):
            raise BadRow(f"{where}: this is a {type(message).__name__}: write role and content")
        if not isinstance(message.get("role"), str):
            has = ", ".join(message) or "nothing"
            raise BadRow(f"{where}: a message has 'role' and 'content', and this one has {has}")
        if message.get("content") is not None or not message.get("tool_calls"):
            text_of(message.get("content"), where, "content")
    # A table has every column in every row: what a message does not have is None there.
    return [{key: said for key, said in message.items() if said is not None or key == "content"} for message in value]
