"""The group of commands that plugins provide: names from metadata, code imported when a command runs."""

import errno

import click
from click.shell_completion import CompletionItem

from modelry_registry import failures
from modelry_registry.current import get_registry
from modelry_registry.errors import BrokenPlugin, ModelryError, RegistryError, UnknownName
from modelry_registry.naming import NAME
from modelry_registry.references import resolve


class ModelryGroup(click.Group):
    """Its own subcommands and, lazily, those of kind "commands". A ModelryError ends the program with its message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name; imports nothing."""
        return sorted({*super().list_commands(ctx), *get_registry().names("commands")})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; a name that nobody provides is an error with close matches or an install line."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        try:
            provider = get_registry().provider("commands", cmd_name)
        except UnknownName as error:
            if NAME.fullmatch(cmd_name):
                raise failures.unknown("commands", cmd_name, self.list_commands(ctx)) from error
            raise
        reference = get_registry().get("commands", cmd_name).command
        command = resolve(reference)
        if not isinstance(command, click.Command):
            kind = type(command).__name__
            raise BrokenPlugin(f"{provider}: the command {cmd_name} is {reference}, a {kind} and not a click.Command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the help their specs give, so that --help runs no command's module."""
        rows = [(name, self._help(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without importing what stands behind them."""
        names = [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Run; say an error of ours in one line instead of a traceback."""
        try:
            return super().invoke(ctx)
        except ModelryError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader has gone: click knows
                raise
            raise click.ClickException(f"{type(error).__name__}: {error}") from error

    def _help(self, ctx: click.Context, name: str) -> str:
        own = super().get_command(ctx, name)
        if own is not None:
            return own.get_short_help_str(limit=100)
        try:
            return get_registry().get("commands", name).help
        except RegistryError as error:
            return f"({type(error).__name__}: see `modelry plugins show commands:{name}`)"


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print this distribution's version and exit, when asked to."""
    if not wanted or ctx.resilient_parsing:
        return
    from importlib_metadata import version

    click.echo(f"modelry-registry {version('modelry-registry')}")
    ctx.exit()
