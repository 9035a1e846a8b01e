"""The words of every failed lookup: what was found, where, and what to do."""

from collections.abc import Iterable, Sequence

from modelry_registry.candidates import SUPPORTED_APIS, Candidate
from modelry_registry.controls import PREFER
from modelry_registry.errors import (
    AmbiguousName,
    DisabledPlugin,
    IncompatiblePlugin,
    MissingPlugin,
    UnknownName,
)
from modelry_registry.known import known_distribution
from modelry_registry.naming import KINDS, NAME, NAME_RULE, label, labelled, quoted


def check_kind(kind: str) -> None:
    """Refuse a kind that does not exist.

    Raises:
        UnknownName: with the kinds there are.
    """
    if kind not in KINDS:
        raise UnknownName(f"{quoted(kind)} is not a kind of plugin; the kinds are {', '.join(KINDS)}")


def check_name(kind: str, name: object, *, asked_by: str = "") -> None:
    """Refuse what cannot be a name, whoever wrote it.

    Raises:
        UnknownName: the name is no string, too long, or has characters that no name has.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        where = f"{asked_by}: " if asked_by else ""
        raise UnknownName(f"{where}{quoted(name)} is no {label(kind)}: use {NAME_RULE}")


def nobody(kind: str, name: str, installed: Iterable[str], *, asked_by: str = "") -> MissingPlugin | UnknownName:
    """No installed package provides the name: MissingPlugin where a known one does, else UnknownName."""
    distribution = known_distribution(kind, name)
    if distribution is not None:
        return missing([(kind, name, distribution)], asked_by=asked_by)
    return unknown(kind, name, installed, asked_by=asked_by)


def missing(needs: Sequence[tuple[str, str, str]], *, asked_by: str = "") -> MissingPlugin:
    """One error and one install line for every (kind, name, distribution) that is not installed."""
    what = " and ".join(labelled(kind, name) for kind, name, _ in needs)
    distributions = tuple(sorted({distribution for _, _, distribution in needs}))
    text = (
        f"{asked_by} asks for {what}, which no installed package provides"
        if asked_by
        else f"no installed package provides {what}"
    )
    return MissingPlugin(f"{text}. Run: pip install {' '.join(distributions)}", distributions)


def some(names: Sequence[str], *, most: int = 12) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
    return shown or "none"


def unknown(kind: str, name: str, installed: Iterable[str], *, asked_by: str = "") -> UnknownName:
    """Close matches among the installed names, and never the name of a package."""
    from difflib import get_close_matches  # 3 ms that only a failure pays

    names = sorted(set(installed))
    lower = {one.lower(): one for one in names}
    near = [lower[one] for one in get_close_matches(name.lower(), lower, 3)]
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    else:
        hint = f"Installed: {some(names)}. Correct the name, or install the plugin that provides it."
    text = (
        f"{asked_by} asks for {labelled(kind, name)}, which no installed or known package provides"
        if asked_by
        else f"no installed or known package provides {labelled(kind, name)}"
    )
    return UnknownName(f"{text}. {hint}")


def disabled(candidate: Candidate, variable: str) -> DisabledPlugin:
    """The user switched the only provider off; name the variable."""
    change = "Remove it from" if variable.endswith("DISABLE_PLUGINS") else "Add it to"
    return DisabledPlugin(
        f"{labelled(candidate.kind, candidate.name)} is provided by {candidate}, which the environment variable "
        f"{variable} switches off. {change} {variable}"
    )


def incompatible(candidate: Candidate) -> IncompatiblePlugin:
    """Found before anything is imported; say which side to upgrade."""
    supported = SUPPORTED_APIS[candidate.kind]
    if candidate.api > max(supported):
        advice = "Run: pip install --upgrade modelry-registry modelry-core"
    else:
        advice = f"Run: pip install --upgrade {candidate.distribution}"
    return IncompatiblePlugin(
        f"{labelled(candidate.kind, candidate.name)} is provided by {candidate}, made for version {candidate.api} of "
        f"the {candidate.kind} API; this installation understands {', '.join(map(str, supported))}. {advice}"
    )


def ambiguous(candidates: Sequence[Candidate], preferred: str | None = None) -> AmbiguousName:
    """Nobody wins silently: list them, sorted, with the three ways out."""
    first = min(candidates)
    listed = " and ".join(str(one) for one in sorted(candidates))
    wish = f" {PREFER} names {preferred}, which is none of them." if preferred is not None else ""
    choice = f"{PREFER}={first.kind}:{first.name}={first.distribution}"
    return AmbiguousName(
        f"{labelled(first.kind, first.name)} is provided by {listed}.{wish} Choose one: "
        f"plugin={first.distribution!r} in the call, or {choice} in the environment, or uninstall the others"
    )


def not_by(kind: str, name: str, plugin: str, candidates: Sequence[Candidate]) -> UnknownName:
    """The user asked for a plugin that does not provide the name."""
    listed = " and ".join(str(one) for one in sorted(candidates))
    return UnknownName(f"plugin={quoted(plugin)} does not provide {labelled(kind, name)}; {listed} does")
