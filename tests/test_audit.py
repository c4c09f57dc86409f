"""A locked version that an advisory affects is found, and nothing else is (`make audit-offline`)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tools import audit

OLD = {"id": "GHSA-old", "cve": "CVE-1", "advisory": "reads too far", "fixed_in": "2.1", "v": ">=2.0,<2.1"}
PRE = {**OLD, "id": "GHSA-pre", "advisory": "a | <b>", "v": "<3.0"}
ALL = {**OLD, "id": "GHSA-all", "v": "every version"}

Run = Callable[..., str]


def wheel(folder: Path, held: dict[str, Any]) -> Path:
    path = folder / "copy_of_advisories-1.2.3-py3-none-any.whl"
    member = zipfile.ZipInfo("copy_of_advisories/db.json", date_time=(2026, 7, 7, 4, 38, 0))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, json.dumps(held))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that audits locks with one database and says what was printed."""
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(audit, "LOCKS", tmp_path)
    monkeypatch.setattr(audit, "LEAST", 1)
    monkeypatch.setattr(audit, "ACCEPTED", tmp_path / "accepted-advisories.toml")
    monkeypatch.setattr(audit, "PAGE", tmp_path / "docs" / "page.md")

    def ran(
        lock: str, held: dict[str, Any], accepted: str = "accepted = []", *, page: bool = True, dev: str = ""
    ) -> str:
        (tmp_path / "run.lock").write_text(lock, encoding="utf-8")
        (tmp_path / "dev.lock").write_text(dev, encoding="utf-8")
        audit.ACCEPTED.write_text(accepted, encoding="utf-8")
        monkeypatch.setattr("sys.argv", ["audit", str(wheel(tmp_path, held)), *["--page"] * page])
        try:
            audit.main()
        except SystemExit as stop:
            return f"FAILED {stop}"
        return capsys.readouterr().out

    return ran


def test_an_affected_version_fails_and_says_what_to_do(run: Run) -> None:
    said = run("# a lock\none==2.0.5 \\\n    --hash=sha256:00\n", {"one": [OLD, OLD], "two": [ALL]})
    assert said == (
        "FAILED run.lock: one 2.0.5 is affected by GHSA-old (CVE-1): reads too far; repaired in 2.1. Take "
        "that version in pyproject.toml and run 'make lock', or say in "
        "requirements/accepted-advisories.toml why it may stand"
    )


def test_the_page_counts_packages_advisories_and_findings_of_each_lock(run: Run) -> None:
    known = {"one": [OLD, PRE, {**PRE, "v": ">=9"}], "two": [ALL], "six": [OLD]}
    run("one==2.0\nthree==1\n", known, dev="one==4.0\ntwo==1.0\nfour==2\nfive==2\n")
    page = audit.PAGE.read_text(encoding="utf-8")
    assert "| `run.lock` | what users install | 2 | 1 | 2 | 2 |" in page
    assert "| `dev.lock` | development and tests | 4 | 2 | 3 | 1 |" in page
    assert "`copy-of-advisories 1.2.3`" in page
    assert "The wheel has 3\nadvisories on 3 packages" in page
    assert "its file is of **2026-07-07**" in page
    assert "**3 affect a locked version; 0 accepted, with the reason below.**" in page
    assert "| one 2.0 | `run.lock` | GHSA-pre (CVE-1): a &#124; &lt;b&gt; | 2.1 | **not accepted** |" in page
    run("three==1\n", known)
    page = audit.PAGE.read_text(encoding="utf-8")
    assert "**None affects a locked version.**" in page
    assert page.endswith("| `run.lock` | what users install | 1 | 0 | 0 | 0 |\n")


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("1.9", False), ("2.0rc1", False), ("2.0", True), ("2.0.post1", True), ("2.0+local", True),
        ("2.1rc1", True), ("2.1", False), ("2.1.post1", False), ("10.0", False), ("1!2.0", False),
    ],
)  # fmt: skip
def test_ranges_follow_the_order_of_versions(run: Run, version: str, affected: bool) -> None:
    said = run(f"one=={version}\n", {"one": [OLD]})
    assert said.startswith(f"FAILED run.lock: one {version} is") == affected
    if not affected:
        assert said == "1 locked versions, advisories as of 2026-07-07: 0 problems, 0 accepted\n"


@pytest.mark.parametrize(
    ("bounds", "held"),
    [("<=1.0", "1.0"), (">=1.0,<=2", "2"), ("==1.0", "1.0.0"), (">1.0", "1.0.1"), ("<2, >=1", "1.5"),
     ("!=2", "1.0"), ("==1.*", "1.0"), ("<dev", "1.0"), ("~=1.0", "9"), ("", "9"), ("every version", "9.9"),
     ("<=2.0", "2.0+cpu"), (">=3,<4 || >=1,<2", "9")],
)  # fmt: skip
def test_bounds_hold_and_what_cannot_be_read_counts_as_every_version(bounds: str, held: str) -> None:
    assert audit.Advisory("one", "", "", "", bounds, "").affects(held)


@pytest.mark.parametrize(
    ("bounds", "free"), [("<1.0", "1.0"), (">1.0", "1.0"), ("==1.0", "1.1"), ("!=1", "1")]
)
def test_bounds_end(bounds: str, free: str) -> None:
    assert not audit.Advisory("one", "", "", "", bounds, "").affects(free)


def test_names_are_compared_as_the_index_does(run: Run) -> None:
    assert "my-package 2.9 is affected by GHSA-pre" in run("my.package==2.9\n", {"My_Package": [PRE]})


def test_each_of_two_versions_of_one_package_is_looked_at(run: Run) -> None:
    lock = "one==2.0 ; python_full_version < '3.12'\none==2.2 ; python_full_version >= '3.12' \\\n"
    assert "one 2.0 is affected" in run(lock, {"one": [OLD]})
    swapped = lock.replace("2.0 ", "x").replace("2.2", "2.0").replace("x", "2.2 ")
    assert "one 2.0 is affected" in run(swapped, {"one": [OLD]})


@pytest.mark.parametrize(
    "line", ["one[x]==2.0", "one>=2.0", "one @ file", "one===2.0", "one==2.0,!=3", "-e ."]
)
def test_a_line_of_a_lock_that_is_no_pin_stops(run: Run, line: str) -> None:
    assert run(f"{line}\n", {"one": [OLD]}) == f"FAILED run.lock: {line!r} is not a package with one version"


def test_a_wheel_with_too_few_advisories_or_without_a_field_stops(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyError, match="v"):
        run("one==9.9\n", {"one": [{key: value for key, value in OLD.items() if key != "v"}]})
    monkeypatch.setattr(audit, "LEAST", 2)
    assert "has 1 advisories, fewer than 2" in run("one==9.9\n", {"one": [OLD]})


def accepting(lock: str, reason: str = "never read") -> str:
    return f'[[accepted]]\nlock = "{lock}"\npackage = "one 2.0"\nadvisory = "GHSA-old"\nreason = "{reason}"\n'


def test_an_accepted_advisory_may_stand_in_its_lock_while_it_affects_something(run: Run) -> None:
    assert run("one==2.0\n", {"one": [OLD]}, accepting("run")).endswith("0 problems, 1 accepted\n")
    page = audit.PAGE.read_text(encoding="utf-8")
    assert "**One affects a locked version; 1 accepted, with the reason below.**" in page
    assert "| one 2.0 | `run.lock` | GHSA-old (CVE-1): reads too far | 2.1 | never read |" in page
    assert "there is no GHSA-old on one 2.0 in run.lock" in run(
        "one==2.1\n", {"one": [OLD]}, accepting("run")
    )
    assert "dev.lock: one 2.0 is" in run("one==2.0\n", {"one": [OLD]}, accepting("run"), dev="one==2.0\n")
    assert "run.lock: one 2.0 is" in run("one==2.0\n", {"one": [OLD]}, accepting("run", " "))
    two = "one==2.0 ; python_full_version < '3.12'\none==2.0.5 ; python_full_version >= '3.12'\n"
    assert "run.lock: one 2.0.5 is" in run(two, {"one": [OLD]}, accepting("run"))


def test_accepting_one_advisory_does_not_accept_another(run: Run) -> None:
    said = run("one==2.0\n", {"one": [OLD, PRE]}, accepting("run"))
    assert "GHSA-pre" in said
    assert "GHSA-old" not in said


def test_a_page_of_other_locks_or_none_fails(run: Run) -> None:
    assert "says something else" in run("one==3.0\n", {"one": [OLD]}, page=False)
    run("one==3.0\n", {"one": [OLD]})
    assert "0 problems" in run("one==3.0\n", {"one": [OLD]}, page=False)
    assert "says something else" in run("one==3.0\nthree==1\n", {"one": [OLD]}, page=False)


def test_every_lock_is_on_the_page_and_has_a_purpose(root: Path) -> None:
    page = (root / "docs" / "dependency-audit.md").read_text(encoding="utf-8")
    locks = audit.read_locks(root / "requirements")
    assert set(locks) == set(audit.PURPOSES)
    for lock, pins in locks.items():
        assert f"| `{lock}.lock` | {audit.PURPOSES[lock]} | {len({name for name, _ in pins})} |" in page


def test_the_wheel_is_downloaded_by_its_hash_and_never_installed(root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    uses = [it.split() for it in makefile.splitlines() if "-m pip" in it and "advisories.lock" in it]
    (download,) = uses
    assert {"download", "--no-deps", "--require-hashes", "--only-binary", ":all:"} <= set(download)
    assert "install" not in download


def test_the_date_is_that_of_the_file_in_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LEAST", 1)
    copied, known = audit.read_wheel(wheel(tmp_path, {"one": [OLD], "One": [PRE]}))
    assert copied == date(2026, 7, 7)
    assert [it.identifier for it in known["one"]] == ["GHSA-old", "GHSA-pre"]
