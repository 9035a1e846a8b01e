"""What Donut writes, read as fields: `<s_name>Anna</s_name>` is {"name": "Anna"}.

Fields lie inside each other, and `<sep/>` stands between several values or records. Kim et al. 2021,
https://arxiv.org/abs/2111.15664.
"""

import re
from collections.abc import Collection
from typing import Any

_OPENING = re.compile(r"<s_([^>]*)>", re.IGNORECASE)
_BETWEEN = "<sep/>"

Record = dict[str, Any]


def read_fields(text: str, categories: Collection[str]) -> Record | list[Record]:
    """The fields of a text.

    Args:
        text: with its special tokens.
        categories: special tokens that are values: of "<yes/>" the value is "yes".

    Returns:
        Names to values, which are texts, records, or lists of them; a list of such where the text has several records;
        {"text_sequence": text} where it has no field. Fields that are never closed are not there.
    """
    records, last, rest = _records(text, categories)
    if records:
        return records + [last] * bool(last)
    return last or {"text_sequence": rest}


def _records(text: str, categories: Collection[str]) -> tuple[list[Record], Record, str]:
    """The records before a separator, the one behind the last of them, and what is left of the text."""
    records: list[Record] = []
    record: Record = {}
    while (opening := _OPENING.search(text)) is not None:
        closing = re.compile(re.escape(f"</s_{opening[1]}>"), re.IGNORECASE)
        first, own = closing.search(text), closing.search(text, opening.end())
        if first is None:
            text = text.replace(opening[0], "")
            continue
        if own is not None:
            value = _value(text[opening.end() : own.start()].strip(), categories)
            if value is not None:
                record[opening[1]] = value
        text = text[first.end() :].strip()
        if text.startswith(_BETWEEN):
            records.append(record)
            record, text = {}, text.removeprefix(_BETWEEN)
    return records, record, text


def _value(content: str, categories: Collection[str]) -> Any:
    """What stands in a field: texts, or records; one of them alone, None for fields in which nothing was found."""
    values: list[Any]
    if "<s_" in content and "</s_" in content:
        values, last, _ = _records(content, categories)
        values += [last] * bool(last)
    else:
        values = [_leaf(one.strip(), categories) for one in content.split(_BETWEEN)]
    return values[0] if len(values) == 1 else values or None


def _leaf(text: str, categories: Collection[str]) -> str:
    category = text in categories and text.startswith("<") and text.endswith("/>")
    return text[1:-2] if category else text
