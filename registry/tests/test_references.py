"""References are imported on use, and only there."""

import pytest

from modelry_registry import BrokenPlugin, RegistryError, resolve, use_registry


def test_it_imports_on_use(site):
    (site.folder / "zz_thing.py").write_text("class Thing: ...\n")
    assert resolve("zz_thing:Thing").__name__ == "Thing"


@pytest.mark.parametrize("reference", ["zz_thing", "a b:C", "os:path.join", ":x", "x:", "../x:y", "x" * 5000])
def test_malformed(reference):
    with pytest.raises(RegistryError, match="is not a reference"):
        resolve(reference)


@pytest.mark.parametrize(
    ("source", "cause"),
    [("raise SystemExit(1)", SystemExit), ("import zz_none", ModuleNotFoundError), ("Other = 1", AttributeError)],
)
def test_failures_keep_their_cause(site, source, cause):
    (site.folder / "zz_thing.py").write_text(source)
    with pytest.raises(BrokenPlugin, match="zz_thing:Thing cannot be imported") as caught:
        resolve("zz_thing:Thing")
    assert isinstance(caught.value.__cause__, cause)


def test_ctrl_c_goes_through(site):
    (site.folder / "zz_thing.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        resolve("zz_thing:Thing")


def test_the_distribution_is_named_where_it_is_known(site):
    site.install("toy-plugin", module="zz_toy")
    with use_registry(site.registry()), pytest.raises(BrokenPlugin, match=r"zz_toy:Nothing of toy-plugin 1\.0 cannot"):
        resolve("zz_toy:Nothing")
