"""A pydantic complaint, said as a GenerationError: which value of which field, and why."""

from pydantic import ValidationError

from modelry.errors import GenerationError


def refusal(owner: str, error: ValidationError) -> GenerationError:
    """One line for each refused field; a field that several types refused is named once."""
    whole = [one["msg"].removeprefix("Value error, ") for one in error.errors(include_url=False) if not one["loc"]]
    if whole:  # fields that do not go together: the message names them
        return GenerationError(f"{owner}: {'; '.join(whole)}")
    reasons: dict[str, str] = {}
    for one in error.errors(include_url=False):
        field = str(one["loc"][0])
        reasons.setdefault(field, f"{field}={one['input']!r}: {one['msg'].removeprefix('Value error, ')}")
    return GenerationError(f"{owner} refuses " + "; ".join(reasons.values()))
