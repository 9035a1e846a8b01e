"""What pydantic found wrong in a file of values, in our words."""

from pydantic import ValidationError


def in_words(name: str, error: ValidationError) -> str:
    """A pydantic error as one line per wrong value, with the value that was found."""
    lines = []
    for one in error.errors(include_url=False):
        key = ".".join(str(part) for part in one["loc"])
        reason = one["msg"].removeprefix("Value error, ")
        if one["type"] == "missing":
            lines.append(f"{key} is missing")
        elif one["type"] == "value_error":
            lines.append(f"{key}: {reason}" if key else reason)
        else:
            shown = repr(one["input"])
            lines.append(f"{key} is {shown if len(shown) <= 80 else shown[:77] + '...'}: {reason}")
    return f"{name}: " + "; ".join(lines)
