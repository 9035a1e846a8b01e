"""A pydantic complaint, said as a GenerationError: which value of which field, and why."""

from pydantic import ValidationError

from modelry.errors import GenerationError


def refusal(owner: str, error: ValidationError) -> GenerationError:
    """One line for each refused field; a field that several types refused is named once."""
    reasons: dict[str, str] = {}
    for one in error.errors(include_url=False):
        why = one["msg"].removeprefix("Value error, ")
        if one["loc"]:
            field = str(one["loc"][0])
            reasons.setdefault(field, f"{field}={one['input']!r}: {why}")
        else:  # several fields that do not go together: the message names them
            reasons.setdefault(why, why)
    return GenerationError(f"{owner} refuses " + "; ".join(reasons.values()))
