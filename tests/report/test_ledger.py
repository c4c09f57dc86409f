"""The ledger as a page and as JSON, from made-up entries."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from clsimpact.report.ledger import Entry, Ledger, as_records

FOUND = Entry(
    claim="C4",
    statement="No increase",
    outcome="cost",
    label="Cost",
    unit="£",
    verdict="inconclusive",
    rule="it is wide",
    estimate=17.84,
    conf_low=-22.5,
    conf_high=58.13,
    level=0.95,
    estimator="event study",
    inference="CR2",
    sample="143 councils",
    years_held="2014-15",
    missing="Report A, for 2015-16",
    caveat="few adopters",
)
ABSENT = Entry(
    "C1", "More", "share", "Share", "proportion", "not estimable", "one year only", missing="Report B"
)
MOVES = (
    {"choice": "main", "estimate": 12.56, "conf_low": -22.8, "conf_high": 47.9, "treated": 5},
    {"choice": "other", "estimate": 3.3, "conf_low": None, "conf_high": None, "treated": 1},
)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(
        entries=(ABSENT, FOUND, replace(ABSENT, claim="C5")),
        made_by="clsimpact 0",
        inputs={"panel.parquet": "ab12"},
        choices={"margin": "5%"},
        files=("figures/a.svg", "tables/b.csv"),
        attribution="Sources: A.",
        sensitivity=MOVES,
        figures={"figures/a.svg": "A chart [of costs].\n"},
    )


def test_value_has_number_unit_and_interval() -> None:
    assert FOUND.value == "+17.8 £ (95% interval -22.5 to +58.1)"
    assert replace(FOUND, level=0.9).value.endswith("(90% interval -22.5 to +58.1)")
    assert ABSENT.value == ""


def test_small_numbers_keep_their_figures() -> None:
    small = replace(FOUND, estimate=-0.0123, conf_low=-0.104, conf_high=0.0042, unit="of requests")
    assert small.value == "-0.0123 of requests (95% interval -0.104 to +0.0042)"


def test_the_table_has_a_row_per_entry(ledger: Ledger) -> None:
    rows = [line for line in ledger.to_markdown().splitlines() if line.startswith("| C")]
    assert rows == [
        "| C1 | Share (`share`) | – | **not estimable** | one year only |",
        "| C4 | Cost (`cost`) | +17.8 £ (95% interval -22.5 to +58.1) | **inconclusive** | it is wide |",
        "| C5 | Share (`share`) | – | **not estimable** | one year only |",
    ]


def test_only_what_was_estimated_has_details(ledger: Ledger) -> None:
    text = ledger.to_markdown()
    assert [line for line in text.splitlines() if line.startswith("### ")] == ["### C4: Cost"]
    assert "- Caveat: few adopters" in text
    assert "- Caveat" not in replace(ledger, entries=(replace(FOUND, caveat=""),)).to_markdown()


def test_each_missing_publication_is_said_once(ledger: Ledger) -> None:
    text = ledger.to_markdown()
    assert "- Report B. Needed by: C1 `share`, C5 `share`." in text
    assert text.count("Report B") == 1
    complete = replace(ledger, entries=(replace(FOUND, missing=""),))
    assert "waits for them\n\nNothing.\n" in complete.to_markdown()


def test_the_sensitivity_table_and_the_figure(ledger: Ledger) -> None:
    text = ledger.to_markdown()
    assert "## How the spending estimate moves with the choices" in text
    assert "| main | +12.6 | -22.8 to +47.9 | 5 |" in text
    assert "| other | +3.3 | – to – | 1 |" in text
    assert "![A chart (of costs).](figures/a.svg)" in text
    assert "How the spending" not in replace(ledger, sensitivity=()).to_markdown()


def test_choices_inputs_files_and_sources(ledger: Ledger) -> None:
    text = ledger.to_markdown()
    for line in (
        "- margin: 5%",
        "- `panel.parquet`: SHA-256 `ab12`",
        "- [tables/b.csv](tables/b.csv)",
        "Sources: A.",
    ):
        assert f"\n{line}\n" in text
    assert text.endswith("Made by clsimpact 0.\n")


def test_no_two_empty_lines(ledger: Ledger) -> None:
    assert "\n\n\n" not in ledger.to_markdown()


def test_json_holds_everything(ledger: Ledger) -> None:
    read = json.loads(ledger.to_json())
    assert read["entries"][1]["estimate"] == 17.84
    assert read["entries"][0]["estimate"] is None
    assert read["sensitivity"] == [dict(row) for row in MOVES]
    assert set(read) == {
        "entries", "made_by", "inputs", "choices", "files",
        "attribution", "sensitivity", "secondary", "figures",
    }  # fmt: skip


def test_json_refuses_what_json_cannot_say(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="JSON"):
        replace(ledger, entries=(replace(FOUND, estimate=float("nan")),)).to_json()


def test_records() -> None:
    first, second = as_records([FOUND, ABSENT])
    assert first["estimate"] == 17.84
    assert list(first) == list(second)
