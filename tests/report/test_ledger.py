"""The ledger as JSON against its schema, as a frame and as a page, from made-up rows."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, fields, replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.errors import ClsimpactError
from clsimpact.report.ledger import Ledger, Row, ledger_schema
from clsimpact.store import csv_bytes

FOUND = Row(
    "C4.cost", "claim", "Cost", "In years 0 to 5 it is +£17.8.", "clsimpact.evaluate_claims",
    inputs=("panel.parquet",), claim="C4", outcome="cost", estimate=17.84, conf_low=-22.5, conf_high=58.13,
    level=0.95, unit="£", window="event times 0 to 5", p_value=0.4, p_adjusted=0.8, margin=23.4,
    estimator="event_study", inference="permutation", sample="143 councils", verdict="inconclusive",
    rule="it is wide", numbers={"+£17.8": 17.84}, step="claims", trace="trace/cost.csv",
)  # fmt: skip
SIZE = replace(
    FOUND, id="C3.cost", claim="C3", published="-10 points", tolerance=0.05, tolerance_reason="ours",
    verdict="consistent", trace="",
)  # fmt: skip
ABSENT = Row(
    "C1.share", "claim", "Share", "This cannot be estimated.", "clsimpact.evaluate_claims", claim="C1",
    outcome="share", verdict="not estimable", rule="one year only", missing="Report B",
)  # fmt: skip
COUNT = Row("number-n", "number", "councils", "143", "len", numbers={"143": 143.0}, step="claims")
FIGURE = Row("figure-a", "figure", "A | B", "A figure", "draw", files=("figures/a.svg",))
DIGEST = "ab" * 32


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(
        title="A study",
        simulated=False,
        rows=(ABSENT, FOUND, SIZE, replace(ABSENT, id="C5.share", claim="C5"), COUNT, FIGURE),
        inputs={"panel.parquet": DIGEST},
        versions={"clsimpact": "0.1"},
        choices={"margin": "5%"},
        files=("figures/a.svg", "tables/b c.csv"),
        attribution="Sources: A.",
    )


def valid(ledger: Ledger) -> None:
    jsonschema.validate(json.loads(ledger.to_json()), ledger_schema(), jsonschema.Draft202012Validator)


class TestRow:
    def test_value_has_number_unit_and_interval(self) -> None:
        assert FOUND.value == "+17.8 £ (95% interval -22.5 to +58.1)"
        assert replace(FOUND, level=0.9).value.endswith("(90% interval -22.5 to +58.1)")
        assert replace(FOUND, unit="").value == "+17.8 (95% interval -22.5 to +58.1)"
        assert ABSENT.value == ""
        assert replace(FOUND, conf_high=None).value == ""

    def test_zero_is_a_value(self) -> None:
        assert replace(FOUND, estimate=0.0).value.startswith("0 £")

    def test_small_numbers_keep_their_figures(self) -> None:
        small = replace(FOUND, estimate=-0.0123, conf_low=-0.104, conf_high=0.0042, unit="of requests")
        assert small.value == "-0.0123 of requests (95% interval -0.104 to +0.0042)"

    @pytest.mark.parametrize("row", [FOUND, SIZE, ABSENT, COUNT, FIGURE])
    def test_it_comes_back_from_json(self, row: Row) -> None:
        assert Row.read(json.loads(json.dumps(asdict(row)))) == row


class TestLedger:
    def test_a_row_is_found_by_its_id(self, ledger: Ledger) -> None:
        assert ledger["C4.cost"] is FOUND
        with pytest.raises(KeyError, match=r"C4\.costs"):
            ledger["C4.costs"]

    def test_rows_of_a_kind(self, ledger: Ledger) -> None:
        assert [row.id for row in ledger.of_kind("claim")] == ["C1.share", "C4.cost", "C3.cost", "C5.share"]
        assert list(ledger.of_kind("table")) == []

    def test_everything_that_does_not_hold_together_at_once(self, ledger: Ledger) -> None:
        rows = (FOUND, COUNT, COUNT, FOUND, replace(FIGURE, inputs=("nothing", "panel.parquet")))
        with pytest.raises(ClsimpactError) as caught:
            replace(ledger, rows=rows)
        assert caught.value.problems == (
            "two rows are called 'C4.cost'",
            "two rows are called 'number-n'",
            "no input is called 'nothing'",
        )


class TestJson:
    def test_the_schema_is_one(self) -> None:
        jsonschema.Draft202012Validator.check_schema(ledger_schema())

    def test_it_names_every_field(self) -> None:
        """A field that is added to a row has to be added to the schema."""
        row = ledger_schema()["properties"]["rows"]["items"]["properties"]
        assert set(row) == {field.name for field in fields(Row)}
        own = set(ledger_schema()["properties"])
        assert own == {"made_up", *(field.name for field in fields(Ledger))}

    def test_a_ledger_fits_the_schema(self, ledger: Ledger) -> None:
        valid(ledger)
        valid(replace(ledger, simulated=True))
        valid(replace(ledger, rows=()))

    def test_what_is_made_up_says_so_first(self, ledger: Ledger) -> None:
        assert next(iter(replace(ledger, simulated=True).to_dict())) == "made_up"
        assert "made_up" not in ledger.to_dict()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda it: it["rows"][0].pop("rule"), "'rule' is a required property"),
            (lambda it: it["rows"][0].update(kind="guess"), "'guess' is not one of"),
            (lambda it: it["rows"][0].update(verdict="proven"), "'proven' is not one of"),
            (lambda it: it["rows"][0].update(estimate=1.0), "1.0 is not of type 'null'"),
            (lambda it: it["rows"][1].update(estimate="17"), "'17' is not of type 'number', 'null'"),
            (lambda it: it["rows"][1].update(extra=1), "Additional properties are not allowed"),
            (lambda it: it["inputs"].update(panel="short"), "'short' does not match"),
            (lambda it: it.update(simulated=True), "'made_up' is a required property"),
            (lambda it: it.update(made_up="SIMULATED: every figure is made up"), "should not be valid under"),
        ],
    )
    def test_the_schema_refuses(self, ledger: Ledger, change: Any, message: str) -> None:
        values = json.loads(ledger.to_json())
        change(values)
        with pytest.raises(jsonschema.ValidationError) as caught:
            jsonschema.validate(values, ledger_schema(), jsonschema.Draft202012Validator)
        found = [caught.value, *(caught.value.context or [])]
        assert any(message in error.message for error in found), caught.value.message

    def test_what_is_missing_is_null(self, ledger: Ledger) -> None:
        odd = replace(FOUND, p_value=math.nan, conf_high=math.inf, numbers={"x": math.nan, "y": 1.0})
        made = replace(ledger, rows=(odd,))
        row = json.loads(made.to_json())["rows"][0]
        assert (row["p_value"], row["conf_high"], row["numbers"]) == (None, None, {"x": None, "y": 1.0})
        valid(made)

    def test_numbers_of_numpy(self, ledger: Ledger) -> None:
        odd = replace(FOUND, estimate=np.float32(0.5), numbers={"n": np.int64(3), "b": np.float64(math.nan)})
        row = json.loads(replace(ledger, rows=(odd,)).to_json())["rows"][0]
        assert (row["estimate"], row["numbers"]) == (0.5, {"n": 3, "b": None})

    @settings(deadline=None, max_examples=50)
    @given(st.dictionaries(st.text(), st.floats()), st.floats(), st.text())
    def test_any_number_and_any_text(self, numbers: dict[str, float], estimate: float, text: str) -> None:
        row = replace(COUNT, numbers=numbers, estimate=estimate, text=text)
        made = Ledger("t", False, (row,), {}, {}, {}, (), "")
        valid(made)
        read = Row.read(json.loads(made.to_json())["rows"][0])
        assert read.text == text
        assert read.estimate == (estimate if math.isfinite(estimate) else None)

    def test_the_same_rows_give_the_same_bytes(self, ledger: Ledger) -> None:
        assert ledger.to_json() == replace(ledger).to_json()
        assert ledger.to_json().endswith("}\n")
        assert "£" in ledger.to_json()


class TestFrame:
    def test_a_row_per_row(self, ledger: Ledger) -> None:
        frame = ledger.tidy()
        assert frame["id"].tolist() == [row.id for row in ledger.rows]
        assert list(frame.columns) == [field.name for field in fields(Row) if field.name != "numbers"]
        assert frame.loc[1, "inputs"] == "panel.parquet"
        assert Ledger("t", False, (), {}, {}, {}, (), "").tidy().shape == (0, len(frame.columns))

    def test_as_csv(self, ledger: Ledger) -> None:
        rows = list(csv.DictReader(io.StringIO(csv_bytes(ledger.tidy()).decode("utf-8"))))
        assert [row["id"] for row in rows] == [row.id for row in ledger.rows]
        assert float(rows[1]["estimate"]) == 17.84
        assert rows[0]["estimate"] == ""


class TestPage:
    def test_the_table_has_a_row_per_claim(self, ledger: Ledger) -> None:
        rows = [line for line in ledger.to_markdown().splitlines() if line.startswith("| C")]
        assert rows == [
            "| C1 | Share (`share`) | – | **not estimable** | one year only |",
            "| C4 | Cost (`cost`) | +17.8 £ (95% interval -22.5 to +58.1) | **inconclusive** | it is wide |",
            "| C3 | Cost (`cost`) | +17.8 £ (95% interval -22.5 to +58.1) | **consistent** | it is wide |",
            "| C5 | Share (`share`) | – | **not estimable** | one year only |",
        ]

    def test_only_what_was_estimated_has_details(self, ledger: Ledger) -> None:
        text = ledger.to_markdown()
        heads = [line for line in text.splitlines() if line.startswith("### ")]
        assert heads == ["### C4: Cost", "### C3: Cost"]
        assert "- Data: 143 councils; every cell: [trace/cost.csv](<trace/cost.csv>)" in text
        assert "- Data: 143 councils\n" in text
        assert "- Published: -10 points; tolerance 0.05: ours." in text
        assert text.count("- Published") == 1

    def test_each_missing_publication_is_said_once(self, ledger: Ledger) -> None:
        text = ledger.to_markdown()
        assert "- Report B. Needed by: C1 `share`, C5 `share`." in text
        assert text.count("Report B") == 1
        complete = replace(ledger, rows=(FOUND,))
        assert "waits for them\n\nNothing.\n" in complete.to_markdown()

    def test_other_rows_choices_inputs_files_and_sources(self, ledger: Ledger) -> None:
        text = ledger.to_markdown()
        for line in (
            "| `number-n` | councils | 143 | `len` | claims |",
            r"| `figure-a` | A \| B | A figure | `draw` | – |",
            "- margin: 5%",
            f"- `panel.parquet`: SHA-256 `{DIGEST}`",
            "- clsimpact 0.1",
            "- [tables/b c.csv](<tables/b c.csv>)",
            "Sources: A.",
        ):
            assert f"\n{line}\n" in text

    def test_a_simulated_page_is_marked(self, ledger: Ledger) -> None:
        first = replace(ledger, simulated=True).to_markdown().splitlines()[0]
        assert first == "# SIMULATED: Replication ledger: A study"
        assert "SIMULATED" not in ledger.to_markdown()

    def test_no_two_empty_lines(self, ledger: Ledger) -> None:
        assert "\n\n\n" not in ledger.to_markdown()

    def test_a_text_of_several_lines_stays_in_its_cell(self, ledger: Ledger) -> None:
        page = replace(ledger, rows=(replace(COUNT, text="one\ntwo | three"),)).to_markdown()
        assert r"| `number-n` | councils | one two \| three | `len` | claims |" in page
