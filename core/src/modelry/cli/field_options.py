"""Every field of a GenerationConfig as an option of a command: --num-beams 4 is --set num_beams=4. No torch here."""

from collections.abc import Sequence
from typing import get_args

import click


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
        click.UsageError: a field's value is missing.
    """
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return [*found, word, *rest]
        option, equals, value = word.partition("=")
        annotation = None if not option.startswith("--") or option in own else _annotation(option)
        if annotation is None:
            found.append(word)
            continue
        if not equals:
            switch = set(get_args(annotation)) == {bool, type(None)}
            given = "true" if switch else next(rest, None)
            if given is None:
                raise click.UsageError(f"{option} needs a value")
            value = given
        found += ["--set", f"{_field(option)}={value}"]
    return found


def _field(option: str) -> str:
    return option[2:].replace("-", "_")


def _annotation(option: str) -> object:
    """The type of the field that an option names, None where there is no such field."""
    from modelry.generation import GenerationConfig

    field = GenerationConfig.model_fields.get(_field(option))
    return None if field is None else field.annotation
