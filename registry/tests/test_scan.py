"""The index is built from metadata alone, in the order of sys.path, whatever else lies there."""

from pathlib import Path

from modelry_registry import Candidate
from modelry_registry.scan import scan


def test_it_reads_entry_points_without_importing(site):
    site.install("Toy_Plugin", source="raise SystemExit('imported')")
    (found,) = scan([str(site.folder)]).candidates
    assert found == Candidate("tasks", "toy", 1, "toy-plugin", "1.0", "zz_toy_plugin")


def test_distributions_without_our_groups_are_skipped(site):
    site.install("other", entries={"console_scripts": ["other"]})
    assert scan([str(site.folder)]) == ((), ())


def test_the_result_is_sorted(site):
    for name in ("b-dist", "a-dist", "c-dist"):
        site.install(name, entries={"modelry.tasks.v1": ["z", "a"]})
    found = scan([str(site.folder)]).candidates
    assert found == tuple(sorted(found))
    assert len(found) == 6


def test_a_stale_egg_info_without_entry_points_hides_nothing(site):
    site.install("toy-plugin")
    site.metadata("toy-plugin", "0.1", {}, "", egg=True)
    site.metadata("toy-plugin", "0.2", {"console_scripts": ["x"]}, "m", egg=True)
    assert [one.version for one in scan([str(site.folder)]).candidates] == ["1.0"]


def test_inside_a_folder_dist_info_wins_over_egg_info(site):
    site.install("toy-plugin", version="1.0")
    site.install("toy-plugin", version="9.0", egg=True, source="")
    candidates, (finding,) = scan([str(site.folder)])
    assert [one.version for one in candidates] == ["1.0"]
    assert (finding.code, finding.problem) == ("shadowed", False)


def test_the_first_on_sys_path_wins_and_the_other_is_a_finding(site, tmp_path):
    second = type(site)(tmp_path / "second")
    second.install("toy-plugin", version="2.0")
    site.install("toy-plugin", version="1.0")
    candidates, (finding,) = scan([str(site.folder), str(second.folder)])
    assert [one.version for one in candidates] == ["1.0"]
    assert finding.code == "shadowed"
    assert "2.0" in finding.message
    assert str(second.folder) in finding.message
    assert [one.version for one in scan([str(second.folder), str(site.folder)]).candidates] == ["2.0"]


def test_a_folder_that_stands_on_sys_path_twice_shadows_nothing(site, tmp_path):
    site.install("toy-plugin")
    link = tmp_path / "link"
    link.symlink_to(site.folder)
    candidates, findings = scan([str(site.folder), str(link)])
    assert len(candidates) == 1
    assert findings == ()


def test_unreadable_metadata_harms_no_other(site):
    site.install("toy-plugin")
    info = site.metadata("bad", "1.0", {"modelry.tasks.v1": ["bad"]}, "bad")
    (info / "METADATA").write_text("Name: \x1b[31m\nVersion: 1\n\n")
    other = site.metadata("worse", "1.0", {}, "worse")
    (other / "entry_points.txt").write_bytes(b"[modelry.tasks.v1]\n\xff\xfe = x\n")
    bare = site.metadata("bare", "1.0", {"modelry.tasks.v1": ["bare"]}, "bare")
    (bare / "METADATA").unlink()
    candidates, findings = scan([str(site.folder)])
    assert [one.name for one in candidates] == ["toy"]
    assert {one.code for one in findings} == {"unreadable"}
    assert "\x1b" not in "".join(one.message for one in findings)


def test_malformed_entries_are_findings(site):
    entries = {"modelry.widgets.v1": ["w"], "modelry.tasks.v0": ["v"], "modelry.tasks.v1": ["../x", "ok"]}
    site.install("odd", entries=entries)
    candidates, findings = scan([str(site.folder)])
    assert [one.name for one in candidates] == ["ok"]
    assert [one.code for one in findings] == ["malformed"] * 3
    assert all(one.problem for one in findings)


def test_one_name_declared_twice_is_a_finding(site):
    info = site.metadata("twice", "1.0", {"modelry.tasks.v1": ["toy"]}, "one")
    with (info / "entry_points.txt").open("a") as file:
        file.write("toy = two\n")
    candidates, (finding,) = scan([str(site.folder)])
    assert [one.module for one in candidates] == ["one"]
    assert "twice" in finding.message


def test_other_files_on_the_path_do_no_harm(tmp_path: Path):
    (tmp_path / "nothing.dist-info").write_text("a file, not a folder")
    (tmp_path / "empty-1.0.dist-info").mkdir()
    assert scan([str(tmp_path), str(tmp_path / "absent")]) == ((), ())
