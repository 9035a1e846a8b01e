"""Every error of the registry, and the root of every error of Modelry.

ModelryError
  RegistryError        a lookup, a control or a command failed
    UnknownName        nobody we know provides this name
    MissingPlugin      a package provides it, and it is not installed
    DisabledPlugin     installed, and switched off by the user
    IncompatiblePlugin installed, and made for another API version
    AmbiguousName      two distributions provide it
    BrokenPlugin       it failed to import, or does not do what its metadata says
    PackageError       `modelry plugins new` cannot write the package
"""


class ModelryError(Exception):
    """Root of everything Modelry raises on purpose."""


class RegistryError(ModelryError):
    """A lookup, a control or a command of the registry failed."""


class UnknownName(RegistryError, LookupError):
    """No installed package provides the name, and no known one does."""


class MissingPlugin(RegistryError, LookupError):
    """The package that provides the name is not installed.

    Attributes:
        distributions: what to `pip install`, sorted.
    """

    def __init__(self, message: str, distributions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.distributions = distributions


class DisabledPlugin(RegistryError):
    """An environment variable switches the provider off."""


class IncompatiblePlugin(RegistryError):
    """The provider was made for another version of the plugin API."""


class AmbiguousName(RegistryError):
    """Two or more distributions provide the name and the user has not chosen."""


class BrokenPlugin(RegistryError):
    """An installed plugin cannot be used; `__cause__` says why where another exception did."""


class PackageError(RegistryError, ValueError):
    """A new package cannot be written: its name or its folder does not allow it."""
