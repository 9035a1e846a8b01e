"""From "module:Name" to the object: the only place where a plugin's real code is imported."""

from contextlib import suppress
from importlib import import_module

from modelry_registry.errors import BrokenPlugin, RegistryError
from modelry_registry.naming import REFERENCE, described, quoted


def resolve(reference: str) -> object:
    """Import what a spec refers to.

    Raises:
        RegistryError: `reference` is not of the form "module:Name".
        BrokenPlugin: the import fails or exits, or the module has no such name; the cause is chained.
    """
    if not REFERENCE.fullmatch(reference):
        raise RegistryError(f"{quoted(reference)} is not a reference: write 'module:Name'")
    module, _, name = reference.partition(":")
    try:
        found: object = getattr(import_module(module), name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a SystemExit in foreign code must not end the program
        raise BrokenPlugin(f"{reference}{_owner(module)} cannot be imported: {described(error)}") from error
    return found


def _owner(module: str) -> str:
    """Say which distribution a module came with, where the registry in use knows."""
    from modelry_registry.current import get_registry  # which imports this module

    package = module.partition(".")[0]
    with suppress(RegistryError):
        for one in get_registry().candidates:
            if one.module.partition(".")[0] == package:
                return f" of {one.distribution} {one.version}"
    return ""
