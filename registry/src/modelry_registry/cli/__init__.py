"""The program `modelry`: `modelry plugins ...`, and every command that an installed plugin provides."""

import click

from modelry_registry.cli.check import check_plugin
from modelry_registry.cli.doctor import run_doctor
from modelry_registry.cli.group import ModelryGroup, print_version
from modelry_registry.cli.listing import list_plugins
from modelry_registry.cli.new import new_plugin
from modelry_registry.cli.show import show_plugin
from modelry_registry.cli.which import which_plugin


@click.group(cls=ModelryGroup)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Say it.")
def main() -> None:
    """Define, load, run, train and serve models. Every command but `plugins` comes from an installed plugin."""


@main.group()
def plugins() -> None:
    """What is installed, what would serve a checkpoint, what is wrong; new plugins."""


for command in (list_plugins, show_plugin, which_plugin, run_doctor, check_plugin, new_plugin):
    plugins.add_command(command)
