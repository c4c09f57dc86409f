"""What `clsimpact doctor` says of a sound environment, and of each thing that can be lacking."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from clsimpact import _commands, doctor
from clsimpact.cli import main
from clsimpact.doctor import Finding, examine
from clsimpact.errors import PanelError


def found(what: str) -> Finding:
    (finding,) = (it for it in examine() if it.what == what)
    return finding


def test_a_sound_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert [it for it in examine() if it.state == "missing"] == []
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for words in ("Python", "pandas", "150 areas, 2014 to 2022", "extra report"):
        assert words in printed
    assert "\x1b" not in printed


def test_every_declared_library_is_looked_at() -> None:
    declared = {it.name for it in doctor._required()}
    assert {"numpy", "pandas", "statsmodels", "linearmodels", "pyarrow", "matplotlib"} <= declared
    assert declared <= {it.what for it in examine()}
    assert {it.name for it in doctor._required("report")} >= {"python-docx", "typst"}


def test_json_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    assert [it["what"] for it in json.loads(capsys.readouterr().out)] == [it.what for it in examine()]


def lacking(name: str, monkeypatch: pytest.MonkeyPatch, instead: str | None = None) -> None:
    whole = importlib.metadata.version

    def version(wanted: str) -> str:
        if wanted != name:
            return whole(wanted)
        if instead is None:
            raise importlib.metadata.PackageNotFoundError(wanted)
        return instead

    monkeypatch.setattr(doctor, "version", version)


@pytest.mark.parametrize(("instead", "words"), [(None, "not installed"), ("1.0", "1.0 (>=")])
def test_a_library_that_is_lacking_or_old(
    instead: str | None, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking("scipy", monkeypatch, instead)
    finding = found("scipy")
    assert finding.state == "missing"
    assert words in finding.found
    assert "pip install" in finding.repair
    assert main(["doctor"]) == 1
    assert finding.repair in capsys.readouterr().out


def test_an_extra_that_is_lacking_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking("typst", monkeypatch)
    finding = found("extra report")
    assert finding.state == "optional"
    assert "typst" in finding.found
    assert finding.repair == 'pip install "clsimpact[report]"'
    assert main(["doctor"]) == 0


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(_: str) -> Any:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(doctor, "requires", requires)
    assert found("libraries").state == "optional"


def test_data_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_panel() -> Any:
        raise PanelError("The panel is gone.", repair="Install it again.")

    monkeypatch.setattr("clsimpact.panel.load_panel", load_panel)
    (finding,) = (it for it in examine() if it.state == "missing")
    assert (finding.what, finding.found) == ("committed data", "The panel is gone.")


def test_publishers_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLSIMPACT_RAW", str(tmp_path))
    assert found("publishers' files").found.startswith("0 of ")
    from clsimpact.loaders.manifest import all_sources

    (tmp_path / next(iter(all_sources().values())).file).write_bytes(b"")
    finding = found("publishers' files")
    assert (finding.found[:5], finding.state) == ("1 of ", "ok")


def test_a_place_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert found("temporary files").state == "missing"


def test_colour_in_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert _commands._coloured("ok", "ok") == "ok"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert _commands._coloured("ok", "ok") == "\x1b[32mok\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert _commands._coloured("ok", "ok") == "ok"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    for words in ("replicate", "describe", "study", "accept-changed"):
        assert words in printed


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    (tmp_path / "words.sh").write_text(capsys.readouterr().out, encoding="utf-8")
    script = (
        'source words.sh; COMP_WORDS=(clsimpact rep); COMP_CWORD=1; COMP_LINE="clsimpact rep"; '
        'COMP_POINT=${#COMP_LINE}; _shtab_clsimpact clsimpact rep clsimpact; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["replicate"], done.stderr
