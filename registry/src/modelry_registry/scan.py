"""One pass over the metadata of the installed distributions: an index of promises, and nothing imported.

The loop runs over distributions() and not over entry_points(): the latter keeps one distribution of each name before it
looks inside, so a stale .egg-info without entry points hides the real one.
"""

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import importlib_metadata

from modelry_registry.candidates import Candidate, Finding
from modelry_registry.naming import DISTRIBUTION, KINDS, NAME, NAME_RULE, canonical, described, quoted

if TYPE_CHECKING:
    from importlib_metadata import IDistribution

_GROUP = re.compile(r"modelry\.(?P<kind>[a-z]+)\.v(?P<api>[1-9]\d{0,3})", re.ASCII)
_VERSION = re.compile(r"[\w.!+-]{1,64}", re.ASCII)


class Scan(NamedTuple):
    """What is installed, sorted, so that nothing depends on the order of sys.path or of a folder."""

    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]


class _Found(NamedTuple):
    """A distribution with entry points of ours."""

    location: str
    egg: bool
    name: str
    version: str
    entries: tuple[tuple[str, str, str], ...]
    """(group, name, value)."""


def scan(path: Iterable[str] | None = None) -> Scan:
    """Index every entry point of a `modelry.*` group.

    Of two distributions of one name the first on sys.path wins, because its modules are the ones that get imported; the
    other is a finding. A distribution whose metadata cannot be read is a finding and hides no other.

    Args:
        path: folders to look in; sys.path when None.
    """
    found: list[_Found] = []
    findings: list[Finding] = []
    where = {} if path is None else {"path": list(path)}
    for distribution in importlib_metadata.distributions(**where):
        try:
            one = _read(distribution)
        except Exception as error:  # one corrupt distribution harms no other
            findings.append(Finding(True, "unreadable", "", f"{_place(distribution)}: {described(error)}"))
            continue
        if one is not None:
            found.append(one)
    candidates: list[Candidate] = []
    for one in _first_of_each(found, findings):
        candidates += _promises(one, findings)
    return Scan(tuple(sorted(candidates)), tuple(sorted(set(findings))))


def _read(distribution: "IDistribution") -> _Found | None:
    text = distribution.read_text("entry_points.txt")
    if not text or "modelry." not in text:
        return None
    entries = tuple((e.group, e.name, e.value) for e in distribution.entry_points if e.group.startswith("modelry."))
    if not entries:
        return None
    metadata = distribution.read_text("METADATA")
    header = (metadata or distribution.read_text("PKG-INFO") or "").partition("\n\n")[0]
    # Two lines of the header, without the email parser, which costs more than the whole scan.
    values = dict(line.split(": ", 1) for line in reversed(header.splitlines()) if ": " in line)
    name, version = values.get("Name", "").strip(), values.get("Version", "").strip()
    if not DISTRIBUTION.fullmatch(name) or not _VERSION.fullmatch(version):
        raise ValueError(f"its metadata says Name {quoted(name)} and Version {quoted(version)}; reinstall it")
    return _Found(_place(distribution), metadata is None, canonical(name), version, entries)


def _place(distribution: "IDistribution") -> str:
    return os.path.realpath(str(distribution.locate_file("")))


def _first_of_each(found: list[_Found], findings: list[Finding]) -> list[_Found]:
    """Keep the first distribution of each name by sys.path; inside a folder .dist-info before .egg-info."""
    rank = {location: order for order, location in reversed(list(enumerate(one.location for one in found)))}
    newest_first = sorted(found, key=lambda one: one.version, reverse=True)
    kept: dict[str, _Found] = {}
    for one in sorted(newest_first, key=lambda one: (rank[one.location], one.egg)):
        first = kept.setdefault(one.name, one)
        if first != one:  # equal when a folder stands on sys.path twice
            message = (
                f"{one.name} {one.version} in {one.location} is shadowed by {first.version} in {first.location}. "
                "Uninstall one of them."
            )
            findings.append(Finding(False, "shadowed", one.name, message))
    return list(kept.values())


def _promises(one: _Found, findings: list[Finding]) -> list[Candidate]:
    """The well-formed entry points of a distribution; each malformed one is a finding."""
    promised: dict[tuple[str, str, int], Candidate] = {}
    for group, name, value in one.entries:
        match = _GROUP.fullmatch(group)
        if match is None or match["kind"] not in KINDS:
            kinds = ", ".join(KINDS)
            fault = f"its entry-point group {quoted(group)} is not one of modelry.<kind>.v<api>, with kind in {kinds}"
        elif not NAME.fullmatch(name):
            fault = f"its entry point {quoted(name)} in {group} is not a name: use {NAME_RULE}"
        else:
            candidate = Candidate(match["kind"], name, int(match["api"]), one.name, one.version, value)
            if promised.setdefault((match["kind"], name, candidate.api), candidate).module == value:
                continue
            fault = f"it declares {name} in {group} twice, with different modules"
        findings.append(Finding(True, "malformed", one.name, f"{one.name} {one.version}: {fault}"))
    return list(promised.values())
