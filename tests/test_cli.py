"""The command line: what it prints, where, and with which exit status."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

import clsimpact
from clsimpact.cli import main
from clsimpact.errors import DesignError
from clsimpact.report.document import Document
from clsimpact.report.ledger import Ledger, Row
from clsimpact.report.replicate import Report
from clsimpact.report.study import load_study

COMMANDS = (
    "build",
    "check",
    "completion",
    "demo",
    "describe",
    "doctor",
    "fetch",
    "quality",
    "replicate",
    "simulate",
    "sources",
    "study",
)
REASON = "figures are held for one year only (2021-22)"


def claim(name: str, outcome: str, verdict: str, rule: str, *numbers: float) -> Row:
    found = dict(zip(("estimate", "conf_low", "conf_high"), numbers, strict=False))
    return Row(f"{name}.{outcome}", "claim", outcome, "", "f", claim=name, outcome=outcome, verdict=verdict,
               rule=rule, unit="£ per adult", **found)  # type: ignore[arg-type]  # fmt: skip


ROWS = (
    claim("C1", "signposted", "not estimable", REASON),
    claim("C3", "funded_broad", "not estimable", REASON),
    claim("C3", "funded_mid", "not estimable", REASON),
    claim("C4", "cost", "inconclusive", "it is wide", 17.8, -22.5, 58.1),
    *(
        Row(f"statement-{name}", "setting", "", words, "f")
        for name, words in (("C1", "More signposting"), ("C3", "Fewer funded"), ("C4", "No increase"))
    ),
    Row("number-inside", "number", "", "38 of 40 points lie inside.", "f"),
)
LEDGER = Ledger("A study", False, ROWS, {}, {}, {}, (), "")


@pytest.fixture(autouse=True)
def _no_raw_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLSIMPACT_RAW", raising=False)


class Call(NamedTuple):
    """What the command line asked for."""

    out: str
    options: dict[str, Any]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """A replication and a demonstration that estimate nothing; what they were asked."""
    calls: list[Call] = []

    def made(out: str, *, progress: Callable[[str, int, int], None], **options: Any) -> Report:
        calls.append(Call(out, options))
        for number in (1, 2):
            progress(f"step {number}", number, 2)
        return Report(Path(out), LEDGER, Document("", "", False, (), LEDGER), {}, ("a warning",))

    monkeypatch.setattr("clsimpact.report.replicate.replicate", made)
    monkeypatch.setattr("clsimpact.report.demo.demonstrate", made)
    return calls


def table(*, differ: int) -> pd.DataFrame:
    row = ("sums", 1200, 1200 - differ, 0, differ, "first: Leeds")
    return pd.DataFrame([row], columns=["check", "compared", "agree", "explained", "differ", "note"])


def shell(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clsimpact.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environment,
    )


class TestWhereItPrints:
    def test_letters_that_the_terminal_lacks_are_printed_as_codes(self) -> None:
        found = shell("describe", "gce", PYTHONIOENCODING="ascii")
        assert (found.returncode, found.stderr) == (0, "")
        assert r"[\xa3000, cash]" in found.stdout

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
    def test_a_full_disk_behind_the_output_is_told_once(self) -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            found = subprocess.run(
                [sys.executable, "-m", "clsimpact.cli", "describe"],
                stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert found.returncode == 1
        assert (
            found.stderr == "clsimpact describe: The disk is full.\nRepair: Make room, then run it again.\n"
        )


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_command_has_help(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        shown = capsys.readouterr().out
        assert f"usage: clsimpact {command}" in shown
        assert len(shown.splitlines()) > 5

    def test_the_help_lists_every_command_and_the_exit_status(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["--help"])
        assert stop.value.code == 0
        shown = capsys.readouterr().out
        assert all(re.search(rf"^ +{command}\s+\S", shown, re.MULTILINE) for command in COMMANDS)
        assert "exit status: 0" in shown

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["--version"])
        assert stop.value.code == 0
        assert capsys.readouterr().out == f"clsimpact {clsimpact.__version__}\n"

    @pytest.mark.parametrize("words", [[], ["estimate"], ["check", "--fast"], ["replicate", "--out"]])
    def test_a_wrong_call_is_status_2(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "usage: clsimpact" in shown.err


class TestDescribe:
    def test_one_column(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", "gce_per_adult"]) == 0
        first, second, third = capsys.readouterr().out.splitlines()
        assert first == "gce_per_adult: Gross current expenditure per adult [£ per adult, 2021-22 prices]"
        assert second.strip()
        assert "years: 2014-15, 2016-17 to 2017-18, 2020-21 to 2021-22" in third

    def test_all_columns_as_markdown(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", "--markdown"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "| column | unit | definition | source | years |"
        assert len(lines) == len(clsimpact.describe()) + 2
        assert {line.count(" | ") for line in lines[:1] + lines[2:]} == {4}

    def test_a_misspelt_column(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", "gce_per_adlut"]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("clsimpact describe: The panel has no column 'gce_per_adlut'")
        assert "did you mean 'gce_per_adult'" in shown.err


class TestCheck:
    def test_the_committed_figures_agree(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["agree", "explained", "differ", "check"]
        assert len(lines) > 10
        assert lines[-1].endswith("comparisons: none differ without an explanation.")

    @pytest.mark.parametrize(("differ", "words"), [(1, "1 differs"), (3, "3 differ")])
    def test_a_mismatch_is_status_1(
        self, differ: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("clsimpact.loaders.reconcile.check", lambda _raw: table(differ=differ))
        assert main(["check"]) == 1
        shown = capsys.readouterr().out
        assert "first: Leeds" in shown
        assert shown.endswith(f"1,200 comparisons: {words} without an explanation.\n")

    def test_an_absent_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--raw", str(tmp_path / "absent")]) == 1
        assert "There is no folder" in capsys.readouterr().err


class TestBuild:
    def test_an_absent_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "out"
        assert main(["build", "--raw", str(tmp_path / "absent"), "--out", str(out)]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("clsimpact build: There is no folder")
        assert "Repair:" in shown.err
        assert not out.exists()

    def test_an_empty_folder_lacks_every_file(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["build", "--raw", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
        assert "lacks" in capsys.readouterr().err

    def test_what_was_written_is_listed(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(
            "clsimpact.rebuild.build", lambda _raw, out, progress: {"panel": Path(out) / "panel.parquet"}
        )
        assert main(["build", "--out", "there"]) == 0
        reading, written = capsys.readouterr().out.splitlines()
        assert reading == "Reading the committed returns (no folder of files was named)"
        assert written == f"  panel: {Path('there') / 'panel.parquet'}"


class TestReplicate:
    def test_without_a_terminal_it_prints_plain_lines(
        self, quick: list[Call], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["replicate", "--offline", "--out", "there"]) == 0
        shown = capsys.readouterr()
        assert [call.out for call in quick] == ["there"]
        assert shown.err == ""
        assert "\r" not in shown.out
        assert "\x1b" not in shown.out
        assert shown.out.splitlines()[:2] == ["[1/2] step 1", "[2/2] step 2"]

    def test_on_a_terminal_a_bar_goes_to_stderr(
        self, quick: list[Call], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert main(["replicate", "--offline"]) == 0
        shown = capsys.readouterr()
        assert [call.out for call in quick] == ["outputs"]
        assert "step" in shown.err
        assert "step" not in shown.out

    def test_verdicts_are_grouped_by_claim(
        self, quick: list[Call], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["replicate", "--offline", "--out", "there"]) == 0
        assert capsys.readouterr().out.splitlines()[2:] == [
            "",
            "C1  More signposting",
            "    signposted: not estimable",
            f"        {REASON}",
            "",
            "C3  Fewer funded",
            "    funded_broad, funded_mid: not estimable",
            f"        {REASON}",
            "",
            "C4  No increase",
            "    cost: inconclusive",
            "        +17.8 £ per adult (95% interval -22.5 to +58.1)",
            "        it is wide",
            "",
            "Warning: a warning",
            f"The report is {Path('there') / 'report.html'} (no PDF, Word or workbook: see run.json)",
        ]

    @pytest.mark.parametrize(
        ("error", "status", "words"),
        [
            (DesignError("Nothing to compare."), 1, "clsimpact replicate: Nothing to compare.\n"),
            (PermissionError(13, "No permission", "there"), 1, "clsimpact replicate: No permission: there\n"),
            (OSError("no space"), 1, "clsimpact replicate: no space\n"),
            (
                OSError(errno.ENOSPC, "No space left on device", "there"),
                1,
                "clsimpact replicate: The disk is full: there.\nRepair: Make room, then run it again.\n",
            ),
            (KeyboardInterrupt(), 130, "clsimpact replicate: stopped\n"),
        ],
        ids=["design", "permission", "disk", "full disk", "stopped"],
    )
    def test_errors_go_to_stderr(
        self,
        error: BaseException,
        status: int,
        words: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def fail(out: str, **_: object) -> Report:
            raise error

        monkeypatch.setattr("clsimpact.report.replicate.replicate", fail)
        assert main(["replicate", "--offline"]) == status
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == ("", words)

    def test_json_is_all_that_is_printed(
        self,
        quick: list[Call],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """Without a connection too: what is said of it goes to stderr."""
        monkeypatch.setattr("clsimpact.fetch.connection_answers", lambda: False)
        assert main(["replicate", "--json", "--out", "there", "--raw", str(tmp_path)]) == 0
        shown = capsys.readouterr()
        assert json.loads(shown.out) == LEDGER.to_dict()
        assert "No connection answers" in shown.err

    def test_options_are_handed_on(self, quick: list[Call], tmp_path: Path) -> None:
        words = ["--study", "mine.toml", "--raw", str(tmp_path), "--workers", "3", "--fresh"]
        assert main(["replicate", *words]) == 0
        given = quick[0].options
        assert (given["study"], given["raw"]) == ("mine.toml", tmp_path)
        assert (given["workers"], given["fresh"]) == (3, True)
        assert main(["replicate", "--offline"]) == 0
        assert quick[1].options["fresh"] is False
        assert 1 <= quick[1].options["workers"] <= 4

    @pytest.mark.parametrize("words", ["0", "-1", "two", "1.5"])
    def test_workers_are_a_number_from_one(self, words: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["replicate", "--workers", words])
        assert stop.value.code == 2
        assert "--workers" in capsys.readouterr().err

    def test_a_study_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "out"
        assert main(["replicate", "--study", str(tmp_path / "none.toml"), "--out", str(out)]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("clsimpact replicate: There is no file")
        assert "Repair: Give the path of a study file" in shown.err
        assert not out.exists()


class TestStudy:
    def test_it_prints_a_study_that_loads(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert main(["study"]) == 0
        path = tmp_path / "printed.toml"
        path.write_text(capsys.readouterr().out, encoding="utf-8")
        assert load_study(path).title == "Community Led Support and adult social care in England"

    def test_it_writes_one_and_never_over_another(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        path = tmp_path / "of" / "mine.toml"
        assert main(["study", "--out", str(path)]) == 0
        assert f"clsimpact replicate --study {path}" in capsys.readouterr().out
        assert load_study(path).claims
        path.write_text("mine", encoding="utf-8")
        assert main(["study", "--out", str(path)]) == 1
        assert "is there already" in capsys.readouterr().err
        assert path.read_text(encoding="utf-8") == "mine"


class TestDemo:
    def test_it_prints_the_truth_and_the_verdicts(
        self, quick: list[Call], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["demo", "--out", "there", "--seed", "3", "--workers", "2"]) == 0
        shown = capsys.readouterr().out
        assert quick[0].out == "there"
        assert (quick[0].options["seed"], quick[0].options["workers"]) == (3, 2)
        assert "SIMULATED: the truth is known. 38 of 40 points lie inside." in shown
        assert "C4  No increase" in shown

    def test_json_is_all_that_is_printed(self, quick: list[Call], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == LEDGER.to_dict()
        assert quick[0].out == "outputs/demo"


class TestFetch:
    def test_nothing_is_downloaded_offline(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fetch", "--offline", "--dest", str(tmp_path), "--year", "2019-20"]) == 0
        assert "2019-20" in capsys.readouterr().out
        assert not list(tmp_path.rglob("*.xlsx"))

    def test_an_unknown_year(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fetch", "--offline", "--dest", str(tmp_path), "--year", "1999-00"]) == 1
        assert "1999-00" in capsys.readouterr().err

    def test_replicate_says_what_it_could_not_get(
        self,
        quick: list[Call],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr("clsimpact.fetch.connection_answers", lambda: False)
        assert main(["replicate", "--out", "there", "--raw", str(tmp_path)]) == 0
        assert "No connection answers: only the committed figures" in capsys.readouterr().out

    def test_replicate_goes_on_when_sources_fail(
        self,
        quick: list[Call],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        class Failed:
            ok = False

            def summary(self) -> str:
                return "one source failed"

        monkeypatch.setattr("clsimpact.fetch.connection_answers", lambda: True)
        monkeypatch.setattr("clsimpact.fetch.fetch", lambda **_: Failed())
        assert main(["replicate", "--out", "there", "--raw", str(tmp_path)]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("one source failed")
        assert "The report is" in shown


class TestSources:
    def test_every_source_says_what_was_verified(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["sources"]) == 0
        shown = capsys.readouterr().out
        assert "documented layout" in shown
        assert "publisher's file" in shown
        assert main(["sources", "--markdown"]) == 0
        assert "| --- |" in (page := capsys.readouterr().out) or "|---|" in page


class TestSimulate:
    def test_a_folder_of_official_files_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "real.csv").write_text("1", encoding="utf-8")
        assert main(["simulate", "--out", str(tmp_path), "--rows", "study"]) == 1
        assert "not made up" in capsys.readouterr().err

    def test_a_folder_is_needed(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["simulate"])
        assert stop.value.code == 2


class TestQuality:
    def test_summary_and_page(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        page = tmp_path / "quality.html"
        assert main(["quality", "--out", str(page)]) == 0
        assert "Hackney" in capsys.readouterr().out or page.stat().st_size > 0
        assert "Hackney" in page.read_text(encoding="utf-8")


class TestAsAProgram:
    def test_output_and_status(self) -> None:
        done = shell("describe", "gce")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("gce: Gross current expenditure [£000, cash]\n")

    def test_an_error(self) -> None:
        done = shell("describe", "nothing_of_the_kind")
        assert (done.returncode, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr

    def test_a_wrong_call(self) -> None:
        assert shell("no-such-command").returncode == 2

    def test_a_closed_pipe_is_no_news(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "clsimpact.cli", "describe"],
                stdout=writer,
                stderr=subprocess.PIPE,
                check=False,
            )
        finally:
            os.close(writer)
        assert (done.returncode, done.stderr) == (1, b"")
