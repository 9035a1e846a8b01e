"""Every field of a GenerationConfig as an option of a command: --num-beams 4 is --set num_beams=4. No torch here."""

from collections import deque
from collections.abc import Sequence
from typing import get_args

import click

_SWITCHED = ("true", "false")
"""What may stand behind an option that needs no value: nobody means these as an input there."""


class FieldsCommand(click.Command):
    """A command with --set that takes the fields of generation under their names as well."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {name for parameter in self.get_params(ctx) for name in (*parameter.opts, *parameter.secondary_opts)}
        return super().parse_args(ctx, spelled_out(args, own=own))


def spelled_out(words: Sequence[str], *, own: set[str]) -> list[str]:
    """Replace options that are fields by --set; the rest, what follows `--` too, is click's to judge.

    Args:
        own: names of the command's own options.

    Raises:
        click.UsageError: a field's value is missing, or there are two.
    """
    found: list[str] = []
    seen: set[str] = set()
    rest = deque(words)
    while rest:
        word = rest.popleft()
        if word == "--":
            return [*found, word, *rest]
        option, equals, value = word.partition("=")
        annotation = None if not option.startswith("--") or option in own else _annotation(option)
        if annotation is None:
            found.append(word)
            continue
        if _field(option) in seen:
            raise click.UsageError(f'{option} is given twice: of several values make a list, {option} \'["a", "b"]\'')
        if not equals and set(get_args(annotation)) == {bool, type(None)} and (not rest or rest[0] not in _SWITCHED):
            value = "true"
        elif not equals:
            if not rest:
                raise click.UsageError(f"{option} needs a value")
            value = rest.popleft()
        seen.add(_field(option))
        found += ["--set", f"{_field(option)}={value}"]
    return found


def _field(option: str) -> str:
    return option[2:].replace("-", "_")


def _annotation(option: str) -> object:
    """The type of the field that an option names, None where there is no such field."""
    from modelry.generation import GenerationConfig

    field = GenerationConfig.model_fields.get(_field(option))
    return None if field is None else field.annotation
