"""The index behind the install hints: which package provides a name that is not installed.

`known_plugins.json` is generated from the packages of the repository (scripts/known_plugins.py) and shipped. A name
that is not in it gets no hint: a package name made from a string in somebody's config.json would invite squatting.
"""

from functools import cache


@cache
def known_plugins() -> dict[str, dict[str, str]]:
    """Kind to name to distribution."""
    import json  # 15 ms that only a failed lookup pays
    from importlib.resources import files

    text = files(__package__).joinpath("known_plugins.json").read_text(encoding="utf-8")
    index: dict[str, dict[str, str]] = json.loads(text)
    return index


def known_distribution(kind: str, name: str) -> str | None:
    """The distribution known to provide (kind, name), or None."""
    return known_plugins().get(kind, {}).get(name)
