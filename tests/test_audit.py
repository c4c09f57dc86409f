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
PRE = {**OLD, "id": "GHSA-pre", "v": "<3.0"}
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
    """Return a function that audits one lock with one database and says what was printed."""
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(audit, "LOCKS", tmp_path)
    monkeypatch.setattr(audit, "ACCEPTED", tmp_path / "accepted-advisories.toml")
    monkeypatch.setattr(audit, "PAGE", tmp_path / "docs" / "page.md")

    def ran(lock: str, held: dict[str, Any], accepted: str = "accepted = []", *, page: bool = True) -> str:
        (tmp_path / "run.lock").write_text(lock, encoding="utf-8")
        audit.ACCEPTED.write_text(accepted, encoding="utf-8")
        monkeypatch.setattr("sys.argv", ["audit", str(wheel(tmp_path, held)), *["--page"] * page])
        try:
            audit.main()
        except SystemExit as stop:
            return f"FAILED {stop}"
        return capsys.readouterr().out

    return ran


def test_an_affected_version_fails_and_says_what_to_do(run: Run) -> None:
    said = run("one==2.0.5 \\\n    --hash=sha256:00\n", {"$meta": {}, "one": [OLD], "two": [ALL]})
    assert said.startswith("FAILED run.lock: one 2.0.5 is affected by GHSA-old (CVE-1): reads too far; ")
    assert "repaired in 2.1" in said
    assert "make lock" in said
    assert "**not accepted**" in audit.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("version", ["1.9", "2.1", "2.1.post1", "3.0"])
def test_a_version_outside_the_range_is_not_affected(run: Run, version: str) -> None:
    said = run(f"one=={version}\n", {"one": [OLD]})
    assert said == "1 locked versions, advisories as of 2026-07-07: 0 problems, 0 accepted\n"


def test_names_are_compared_as_the_index_does_and_previews_count(run: Run) -> None:
    said = run("my-package==2.9rc1\n", {"My_Package": [PRE]})
    assert "my-package 2.9rc1 is affected by GHSA-pre" in said


def test_each_of_two_versions_of_one_package_is_looked_at(run: Run) -> None:
    lock = "one==2.0 ; python_full_version < '3.12'\none==2.2 ; python_full_version >= '3.12'\n"
    assert "one 2.0 is affected" in run(lock, {"one": [OLD]})
    swapped = lock.replace("2.0 ", "x").replace("2.2", "2.0").replace("x", "2.2 ")
    assert "one 2.0 is affected" in run(swapped, {"one": [OLD]})


def test_a_range_that_cannot_be_read_counts_as_every_version(run: Run) -> None:
    assert "one 9.9 is affected by GHSA-all" in run("one==9.9\n", {"one": [ALL]})


def test_an_entry_without_its_range_is_an_error(run: Run) -> None:
    with pytest.raises(KeyError, match="v"):
        run("one==9.9\n", {"one": [{key: value for key, value in OLD.items() if key != "v"}]})


ACCEPTED = '[[accepted]]\npackage = "one"\nadvisory = "GHSA-old"\nreason = "never read"\n'


def test_an_accepted_advisory_may_stand_while_it_affects_something(run: Run) -> None:
    assert run("one==2.0\n", {"one": [OLD]}, ACCEPTED).endswith("0 problems, 1 accepted\n")
    page = audit.PAGE.read_text(encoding="utf-8")
    assert "One affects a locked version; 1 accepted" in page
    assert "| one 2.0 | `run.lock` | GHSA-old (CVE-1): reads too far | 2.1 | never read |" in page
    assert "GHSA-old affects no locked version of one any more" in run("one==2.1\n", {"one": [OLD]}, ACCEPTED)


def test_accepting_one_advisory_does_not_accept_another(run: Run) -> None:
    said = run("one==2.0\n", {"one": [OLD, PRE]}, ACCEPTED)
    assert "GHSA-pre" in said
    assert "GHSA-old" not in said


def test_a_page_of_other_locks_fails(run: Run) -> None:
    run("one==3.0\n", {"one": [OLD]})
    assert "0 problems" in run("one==3.0\n", {"one": [OLD]}, page=False)
    said = run("one==3.0\nthree==1\n", {"one": [OLD]}, page=False)
    assert "says something else" in said


def test_the_committed_page_counts_the_committed_locks(root: Path) -> None:
    page = (root / "docs" / "dependency-audit.md").read_text(encoding="utf-8")
    for lock, pins in audit.read_locks(root / "requirements").items():
        assert f"| `{lock}.lock` | {audit.PURPOSES[lock]} | {len({name for name, _ in pins})} |" in page


def test_the_copy_itself_is_a_lock_that_is_never_installed(root: Path) -> None:
    assert "advisories" not in audit.read_locks(root / "requirements")
    lines = (root / "Makefile").read_text(encoding="utf-8").splitlines()
    (line,) = [
        number for number, it in enumerate(lines) if "--requirement requirements/advisories.lock" in it
    ]
    assert "pip download" in lines[line - 1]
    assert "--require-hashes" in lines[line - 1]


def test_the_date_is_that_of_the_file_in_the_wheel(tmp_path: Path) -> None:
    copied, known = audit.read_copy(wheel(tmp_path, {"one": [OLD], "One": [PRE]}))
    assert copied == date(2026, 7, 7)
    assert [it.identifier for it in known["one"]] == ["GHSA-old", "GHSA-pre"]
