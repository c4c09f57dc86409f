"""Claims of the study, and claims of a user's own in TOML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clsimpact.claims import CLAIMS, Claim, ClaimTest, load_claims
from clsimpact.claims.reading import read_claims
from clsimpact.errors import ClsimpactError
from clsimpact.outcomes import OUTCOMES

GOOD = """
[[claims]]
id = "W1"
statement = "Employment falls, by three points"
source = "a paper"
published = "-3 points"
outcomes = ["lemp", "other"]
[[claims.tests]]
rule = "decrease"
first = 0
last = 3
[[claims.tests]]
rule = "equals"
last = 1
value = -0.03
tolerance = 0.01
reason = "ours"
outcomes = ["lemp"]
[[claims.tests]]
rule = "grows"
first = 2
earlier_first = 0
earlier_last = 1
direction = -1

[[claims]]
id = "W2"
statement = "Nothing before"
outcomes = ["lemp"]
[[claims.tests]]
rule = "no_difference"
last = -1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ClsimpactError) as caught:
        load_claims(written(folder, text))
    return list(caught.value.problems)


def one(folder: Path, test: str, *, outcomes: str = '["y"]') -> list[str]:
    """The problems of a claim with one test."""
    head = f'[[claims]]\nid = "W"\nstatement = "s"\noutcomes = {outcomes}\n[[claims.tests]]\n'
    return problems_of(folder, head + test)


class TestOfTheStudy:
    def test_ids_windows_and_rules(self) -> None:
        said = {name: [(test.rule, test.window) for test in it.tests] for name, it in CLAIMS.items()}
        grows = ("grows", "event times 2 and later against event times 0 to 1")
        assert said == {
            "C1": [
                ("increase", "event times 0 to 1"),
                ("fades", "event times 2 and later against event times 0 to 1"),
            ],
            "C2": [("increase", "event times 2 and later")],
            "C3": [
                ("decrease", "event times 0 and later"),
                ("decrease", "event times 2 and later"),
                ("equals", "event times 0 and later"),
            ],
            "C4": [("no_increase", "event times 0 and later")],
            "C5": [("no_difference", "event times -1 and before")],
            "C5b": [grows, grows],
        }

    def test_outcomes_are_columns_of_the_panel(self) -> None:
        assert all(set(claim.outcomes) <= set(OUTCOMES) for claim in CLAIMS.values())
        assert {name: claim.outcomes[0] for name, claim in CLAIMS.items()} == {
            "C1": "signposted",
            "C2": "planned_share",
            "C3": "funded_mid",
            "C4": "gce_per_adult",
            "C5": "gce_per_adult",
            "C5b": "planned_share",
        }

    def test_the_one_published_size(self) -> None:
        sizes = [test for claim in CLAIMS.values() for test in claim.tests if test.rule == "equals"]
        assert [(test.value, test.tolerance) for test in sizes] == [(-0.10, 0.05)]
        assert "ours" in sizes[0].reason
        assert [name for name, claim in CLAIMS.items() if claim.published] == ["C3"]

    def test_every_claim_says_what_and_where(self) -> None:
        assert all(claim.source and claim.statement for claim in CLAIMS.values())

    def test_funded_care_grows_downwards(self) -> None:
        tests = {name: CLAIMS["C5b"].tests_of(name) for name in CLAIMS["C5b"].outcomes}
        assert {name: [test.direction for test in it] for name, it in tests.items()} == {
            "planned_share": [1],
            "signposted": [1],
            "funded_mid": [-1],
        }


class TestDeclaring:
    @pytest.mark.parametrize(
        ("test", "window"),
        [
            (ClaimTest("increase"), "event times 0 and later"),
            (ClaimTest("increase", None, None), "all event times"),
            (ClaimTest("increase", None, -1), "event times -1 and before"),
            (ClaimTest("increase", 2, 2), "event time 2"),
            (ClaimTest("increase", np.int64(0), np.int64(1)), "event times 0 to 1"),
        ],
    )
    def test_windows_in_words(self, test: ClaimTest, window: str) -> None:
        assert test.window == window

    def test_margins_are_needed_where_too_small_to_matter_is_asked(self) -> None:
        needing = [rule for rule in ("increase", "no_increase", "no_decrease", "no_difference")
                   if ClaimTest(rule).needs_margin]  # type: ignore[arg-type]  # fmt: skip
        assert needing == ["no_increase", "no_decrease", "no_difference"]

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"rule": "rises"}, "rule 'rises' is not one of"),
            ({"rule": "increase", "first": 2, "last": 1}, "first = 2 is after last = 1"),
            ({"rule": "increase", "first": 0.5}, "first must be a whole number"),
            ({"rule": "fades", "earlier_first": 0}, "fades needs direction = 1 or -1"),
            ({"rule": "grows", "direction": 1}, "grows needs an earlier window"),
            ({"rule": "equals", "value": 1.0}, "tolerance must be above zero"),
            ({"rule": "equals", "value": float("nan"), "tolerance": 1.0}, "equals needs value"),
        ],
    )
    def test_a_test_that_cannot_be_made(self, options: dict[str, object], problem: str) -> None:
        with pytest.raises(ClsimpactError) as caught:
            ClaimTest(**options)  # type: ignore[arg-type]
        assert any(problem in line for line in caught.value.problems), caught.value.problems

    def test_a_claim_whose_outcomes_and_tests_do_not_fit(self) -> None:
        tests = (ClaimTest("increase", outcomes=("coast",)),)
        with pytest.raises(ClsimpactError) as caught:
            Claim("X", "s", "", ("cost", "share", "share"), tests)
        assert caught.value.problems == (
            "a test is of 'coast', which is no outcome of the claim (did you mean 'cost'?)",
            "no test is of the outcome 'cost'",
            "no test is of the outcome 'share'",
            "outcomes named twice: share",
        )

    def test_a_claim_of_nothing(self) -> None:
        with pytest.raises(ClsimpactError, match="no outcome"):
            Claim("X", "s", "", (), ())


class TestReading:
    def test_own_claims(self, tmp_path: Path) -> None:
        claims = load_claims(written(tmp_path, GOOD))
        assert list(claims) == ["W1", "W2"]
        first = claims["W1"]
        assert (first.source, first.published, first.outcomes) == ("a paper", "-3 points", ("lemp", "other"))
        assert first.tests == (
            ClaimTest("decrease", 0, 3),
            ClaimTest("equals", None, 1, value=-0.03, tolerance=0.01, reason="ours", outcomes=("lemp",)),
            ClaimTest("grows", 2, None, 0, 1, -1),
        )
        assert claims["W2"].tests == (ClaimTest("no_difference", None, -1),)

    def test_an_end_that_is_left_out_is_open(self, tmp_path: Path) -> None:
        text = GOOD.replace("first = 0\nlast = 3\n", "")
        assert load_claims(written(tmp_path, text))["W1"].tests[0].window == "all event times"

    def test_a_byte_order_mark_does_no_harm(self, tmp_path: Path) -> None:
        (tmp_path / "claims.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
        assert len(load_claims(tmp_path / "claims.toml")) == 2

    def test_every_problem_at_once(self, tmp_path: Path) -> None:
        text = """
        [[claims]]
        id = "W 1"
        sttement = "It falls"
        outcomes = []
        source = 3
        [[claims.tests]]
        rule = "decreases"
        frist = 0
        last = 1.5

        [[claims]]
        id = "W2"
        statement = "It fades"
        outcomes = ["y"]
        [[claims.tests]]
        rule = "fades"
        direction = true

        [[claims]]
        id = "W2"
        statement = "Again"
        outcomes = ["y"]
        """
        rules = "increase, decrease, no_increase, no_decrease, no_difference, equals, fades, grows"
        assert problems_of(tmp_path, text) == [
            "claim W 1: no field 'sttement' (did you mean 'statement'?)",
            "claim W 1: statement must be a text",
            "claim W 1: id may hold letters, digits, '.', '_' and '-' only",
            "claim W 1: source must be a text",
            "claim W 1: outcomes must be a list of column names",
            "claim W 1, test 1: no field 'frist' (did you mean 'first'?)",
            f"claim W 1, test 1: rule 'decreases' is not one of {rules} (did you mean 'decrease' or "
            "'no_decrease' or 'increase'?)",
            "claim W 1, test 1: last must be a whole number of years since adoption",
            "claim W2, test 1: fades needs direction = 1 or -1, the sign of the effect",
            "claim W2, test 1: fades needs an earlier window (earlier_first, earlier_last)",
            "claim W2: there are two claims of that id",
            "claim W2: there is no table [[claims.tests]]",
        ]

    @pytest.mark.parametrize(
        ("test", "problem"),
        [
            ('rule = "increase"\nfirst = true', "first must be a whole number of years since adoption"),
            ('rule = "increase"\nfirst = 3\nlast = 1', "first = 3 is after last = 1"),
            ('rule = ["increase"]', "rule ['increase'] is not one of increase, decrease, no_increase, "
             "no_decrease, no_difference, equals, fades, grows (did you mean 'increase' or 'no_increase' or "
             "'no_decrease'?)"),
            ('rule = "equals"\nvalue = "ten"\ntolerance = nan', "equals needs value, a number in the unit of "
             "the outcome"),
            ('rule = "equals"\nvalue = 1\ntolerance = 0', "tolerance must be above zero"),
            ('rule = "decrease"\nvalue = -3', "value belongs to equals, not to decrease"),
            ('rule = "decrease"\ndirection = -1', "direction belongs to fades and grows, not to decrease"),
            ('rule = "increase"\noutcomes = "y"', "outcomes must be a list of column names"),
            ('rule = "increase"\noutcomes = [["y"]]', "outcomes must be a list of column names"),
            ('rule = "equals"\nvalue = 1\ntolerance = 1\nreason = 3', "reason must be a text"),
        ],
    )  # fmt: skip
    def test_what_a_test_may_not_say(self, tmp_path: Path, test: str, problem: str) -> None:
        assert f"claim W, test 1: {problem}" in one(tmp_path, test)

    def test_a_test_of_another_outcome(self, tmp_path: Path) -> None:
        found = one(tmp_path, 'rule = "increase"\noutcomes = ["yy"]', outcomes='["y", "z"]')
        assert found == [
            "claim W: a test is of 'yy', which is no outcome of the claim (did you mean 'y'?)",
            "claim W: no test is of the outcome 'y'",
            "claim W: no test is of the outcome 'z'",
        ]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "there is no table [[claims]]"),
            ("claims = 3", "claims: write each as a table [[claims]]"),
            ('claims = "C1"', "claims: write each as a table [[claims]]"),
            ("claims = [3]", "claim 1: write it as a table [[claims]]"),
        ],
    )
    def test_what_is_no_table(self, tmp_path: Path, text: str, problem: str) -> None:
        assert problems_of(tmp_path, text) == [problem]

    def test_a_test_that_is_no_table(self) -> None:
        problems: list[str] = []
        row = {"id": "W", "statement": "s", "outcomes": ["y"], "tests": ["increase"]}
        assert read_claims([row], problems) == {}
        assert problems == ["claim W, test 1: write it as a table [[claims.tests]]"]

    def test_what_is_no_file_and_no_toml(self, tmp_path: Path) -> None:
        with pytest.raises(ClsimpactError, match="There is no file"):
            load_claims(tmp_path / "absent.toml")
        with pytest.raises(ClsimpactError, match=r"claims\.toml is no TOML"):
            load_claims(written(tmp_path, "[[claims]\n"))
        (tmp_path / "claims.toml").write_bytes(b"id = '\xff'")
        with pytest.raises(ClsimpactError, match="not written in UTF-8"):
            load_claims(tmp_path / "claims.toml")
