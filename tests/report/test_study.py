"""Study files: the one that comes with the library, one of one's own, and every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from clsimpact.claims import CLAIMS, ClaimTest
from clsimpact.errors import ClsimpactError
from clsimpact.report.study import (
    COUNCIL_FIGURES,
    ESTIMATORS,
    FIGURES,
    default_path,
    default_study,
    load_study,
)

OWN = """
[study]
title = "A study"
question = "What?"
programme = "A programme"
units = "counties"

[data]
panel = "panel.csv"
unit = "county"
time = "year"
cohort = "first"
source = "somebody"

[estimation]
beside = "group_time"
[estimation.margins]
y = 1

[[outcomes]]
name = "y"
words = "the outcome"
label = "Outcome"
unit = "people"

[[claims]]
id = "W1"
statement = "It falls"
outcomes = ["y"]
[[claims.tests]]
rule = "decrease"
first = 0

[report]
figures = "event_studies"
checks = "pre_trends"
"""

COUNCILS = """
[study]
title = "t"
question = "q"
programme = "p"
units = "councils"
[data]
panel = "official"
adoption = "official"
[[outcomes]]
name = "gce_per_adult"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ClsimpactError) as caught:
        load_study(written(folder, text))
    return list(caught.value.problems)


class TestDefault:
    def test_it_is_the_file_of_the_project(self) -> None:
        study = default_study()
        assert study.text == default_path().read_text(encoding="utf-8")
        assert study.folder == default_path().parent
        assert study.of_councils

    def test_what_it_asks(self) -> None:
        study = default_study()
        assert study.programme == "Community Led Support"
        assert [it.name for it in study.outcomes] == [
            "signposted", "planned_share", "funded_mid", "gce_per_adult",
        ]  # fmt: skip
        assert study.claims == dict(CLAIMS)
        assert study.estimator == "event_study"
        assert (study.inference, study.main, study.checks) == ("auto", "gce_per_adult", None)
        assert study.figures == FIGURES
        assert study.adoption == {
            "date": "adoption_year",
            "part_year": "first_exposed",
            "undated": "drop",
            "always_treated": "drop",
        }

    def test_margins_are_of_outcomes_of_its_claims(self) -> None:
        spoken = {outcome for claim in CLAIMS.values() for outcome in claim.outcomes}
        assert set(default_study().margins) <= spoken
        assert set(default_study().margins.values()) == {0.02}


class TestOwn:
    def test_it_is_read(self, tmp_path: Path) -> None:
        study = load_study(written(tmp_path, OWN))
        assert not study.of_councils
        assert study.folder == tmp_path.resolve()
        assert (study.outcomes[0].words, study.outcomes[0].label, study.outcomes[0].unit) == (
            "the outcome", "Outcome", "people",
        )  # fmt: skip
        assert study.claims["W1"].tests == (ClaimTest("decrease", 0, None),)
        assert (study.seed, study.main, study.margins, study.margin_share) == (0, "y", {"y": 1.0}, 0.05)

    def test_one_name_is_a_list_of_one(self, tmp_path: Path) -> None:
        study = load_study(written(tmp_path, OWN))
        assert (study.beside, study.figures, study.checks) == (
            ("group_time",), ("event_studies",), ("pre_trends",),
        )  # fmt: skip

    def test_figures_of_councils_are_left_out(self, tmp_path: Path) -> None:
        study = load_study(written(tmp_path, OWN.replace('figures = "event_studies"', "")))
        assert study.figures == tuple(name for name in FIGURES if name not in COUNCIL_FIGURES)

    def test_names_given_twice_count_once(self, tmp_path: Path) -> None:
        text = OWN.replace('"event_studies"', '["curve", "trends", "curve"]')
        assert load_study(written(tmp_path, text)).figures == ("curve", "trends")

    def test_words_fall_back_on_label_and_name(self, tmp_path: Path) -> None:
        text = OWN.replace('words = "the outcome"\n', "")
        assert load_study(written(tmp_path, text)).outcomes[0].words == "Outcome"
        text = text.replace('label = "Outcome"\n', "")
        assert load_study(written(tmp_path, text)).outcomes[0].words == "y"

    def test_a_byte_order_mark_does_no_harm(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + OWN.encode())
        assert load_study(tmp_path / "mine.toml").title == "A study"

    def test_a_study_of_councils_needs_little(self, tmp_path: Path) -> None:
        study = load_study(written(tmp_path, COUNCILS))
        assert study.data == {
            "panel": "official", "adoption": "official", "unit": "ons_code", "time": "year",
            "cohort": "adoption_year",
        }  # fmt: skip
        assert (study.outcomes[0].words, study.main) == ("gce_per_adult", "gce_per_adult")
        assert study.claims == dict(CLAIMS)

    def test_every_estimator_that_can_be_named_is_one(self) -> None:
        from clsimpact import estimators

        assert all(callable(getattr(estimators, name)) for name in ESTIMATORS)


class TestMistakes:
    def test_ten_at_once_with_the_nearest_names(self, tmp_path: Path) -> None:
        text = """
        [study]
        title = "t"
        questoin = "q"
        programme = 3
        units = "councils"
        seed = -1
        [data]
        panel = "official"
        boundaries = "constnat"
        [adoption]
        date = "earlyest"
        [estimation]
        estimator = "event_studdy"
        margin_share = 5
        [estimation.margins]
        gce_per_adlut = 0
        [[outcomes]]
        name = "gce_per_adult"
        [report]
        main = "gce_per_adults"
        figures = ["mapp"]
        checks = ["pre_trend"]
        [reports]
        """
        assert problems_of(tmp_path, text) == [
            "[study]: no field 'questoin' (did you mean 'question'?)",
            "no table [reports] (did you mean 'report'?)",
            "[study]: question must be a text",
            "[study]: programme must be a text",
            "[study]: seed must be a whole number, not below 0",
            "[data]: boundaries = 'constnat' is not one of constant, as_reported, drop (did you mean "
            "'constant'?)",
            "[adoption]: date = 'earlyest' is not one of adoption_year, earliest, latest (did you mean "
            "'earliest'?)",
            "[estimation]: no estimator 'event_studdy' (did you mean 'event_study'?) with a path",
            "[estimation]: margin_share = 5 is not between 0 and 1",
            "[estimation.margins]: gce_per_adlut = 0 is not above zero",
            "[report]: no figure 'mapp' (did you mean 'map'?)",
            "[report]: no check 'pre_trend' (did you mean 'pre_trends'?)",
            "[report]: main = 'gce_per_adults' is not among [[outcomes]] (did you mean 'gce_per_adult'?)",
            "[estimation.margins]: there is no outcome 'gce_per_adlut' (did you mean 'gce_per_adult'?)",
        ]

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ('title = "A study"', "", "[study]: title must be a text"),
            ('title = "A study"', 'title = " "', "[study]: title must be a text"),
            (
                'units = "counties"',
                'units = "counties"\nseed = true',
                "[study]: seed must be a whole number, not below 0",
            ),
            (
                'panel = "panel.csv"',
                "",
                "[data]: panel must be 'official', 'simulated' or the path of a CSV or Parquet file",
            ),
            (
                'panel = "panel.csv"',
                "panel = [1]",
                "[data]: panel must be 'official', 'simulated' or the path of a CSV or Parquet file",
            ),
            ('unit = "county"', "unit = 3", "[data]: unit must name a column of the panel"),
            ('cohort = "first"', "", "[data]: cohort must name a column of the panel"),
            ('source = "somebody"', "source = 3", "[data]: source must be a text"),
            (
                'source = "somebody"',
                'years = ["a"]',
                "[data]: years must be the first and the last period, such as years = [2016, 2021]",
            ),
            (
                'source = "somebody"',
                'years = ["2016", "2021"]',
                "[data]: years must be the first and the last period, such as years = [2016, 2021]",
            ),
            (
                'source = "somebody"',
                "years = 2016",
                "[data]: years must be the first and the last period, such as years = [2016, 2021]",
            ),
            (
                'source = "somebody"',
                "years = [2021, 2016]",
                "[data]: years = [2021, 2016]: the first is after the last",
            ),
            (
                'source = "somebody"',
                'adoption = "mine.csv"',
                "[data]: unit must be 'ons_code' where a list of adopters is given",
            ),
            ('beside = "group_time"', 'beside = ["twfe"]', "[estimation]: no estimator 'twfe' with a path"),
            (
                'beside = "group_time"',
                'inference = "permutatoin"',
                "[estimation]: no inference 'permutatoin' (did you mean 'permutation'?)",
            ),
            (
                'beside = "group_time"',
                'always_treated = "dorp"',
                "[estimation]: always_treated = 'dorp' is not one of drop, keep (did you mean 'drop'?)",
            ),
            (
                'beside = "group_time"',
                "margin_share = nan",
                "[estimation]: margin_share = nan is not between 0 and 1",
            ),
            ("y = 1", "y = true", "[estimation.margins]: y = True is not above zero"),
            ("y = 1", "y = inf", "[estimation.margins]: y = inf is not above zero"),
            (
                "[estimation.margins]\ny = 1",
                "margins = 3",
                "[estimation]: write margins as a table, outcome to number",
            ),
            ("y = 1", "yy = 1", "[estimation.margins]: there is no outcome 'yy' (did you mean 'y'?)"),
            ('words = "the outcome"', "words = 3", "[[outcomes]] 1: words must be a text"),
            ('name = "y"', "name = 3", "[[outcomes]] 1: name must be a column of the panel"),
            (
                'outcomes = ["y"]',
                'outcomes = ["yy"]',
                "claim W1: 'yy' is not among [[outcomes]] (did you mean 'y'?)",
            ),
            (
                'rule = "decrease"',
                'rule = "decreases"',
                "claim W1, test 1: rule 'decreases' is not one of "
                "increase, decrease, no_increase, no_decrease, no_difference, equals, fades, grows "
                "(did you mean 'decrease' or 'no_decrease' or 'increase'?)",
            ),
            ('figures = "event_studies"', "figures = [[1]]", "[report]: no figure [1]"),
            ('checks = "pre_trends"', "checks = 3", "[report]: no check 3"),
        ],
    )
    def test_one_at_a_time(self, tmp_path: Path, old: str, new: str, problem: str) -> None:
        assert old in OWN
        assert problem in problems_of(tmp_path, OWN.replace(old, new, 1))

    def test_an_empty_file(self, tmp_path: Path) -> None:
        assert problems_of(tmp_path, "") == [
            "[study]: title must be a text",
            "[study]: question must be a text",
            "[study]: programme must be a text",
            "[study]: units must be a text",
            "[data]: panel must be 'official', 'simulated' or the path of a CSV or Parquet file",
            "[data]: unit must name a column of the panel",
            "[data]: time must name a column of the panel",
            "[data]: cohort must name a column of the panel",
            "there is no table [[outcomes]]",
        ]

    def test_a_panel_of_ones_own_needs_claims(self, tmp_path: Path) -> None:
        text = OWN[: OWN.index("[[claims]]")] + OWN[OWN.index("[report]") :]
        told = "there is no table [[claims]]: say what is claimed of the outcomes of the panel"
        assert problems_of(tmp_path, text) == [told]
        assert told in problems_of(tmp_path, "claims = []\n" + COUNCILS)

    def test_outcomes_named_twice(self, tmp_path: Path) -> None:
        text = COUNCILS + '[[outcomes]]\nname = "gce_per_adult"\n'
        assert problems_of(tmp_path, text) == ["[[outcomes]] 2: 'gce_per_adult' is there already"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("study = 3\n", "[study]: write it as a table"),
            ("outcomes = 3\n", "there is no table [[outcomes]]"),
            ("claims = 3\n", "claims: write each as a table [[claims]]"),
        ],
    )
    def test_what_is_no_table(self, tmp_path: Path, text: str, problem: str) -> None:
        assert problem in problems_of(tmp_path, text)

    def test_margins_of_outcomes_of_claims_alone_are_fine(self, tmp_path: Path) -> None:
        text = COUNCILS + "[estimation.margins]\nfunded_broad = 0.02\n"
        assert load_study(written(tmp_path, text)).margins == {"funded_broad": 0.02}

    def test_what_is_no_file_and_no_toml(self, tmp_path: Path) -> None:
        with pytest.raises(ClsimpactError, match="There is no file"):
            load_study(tmp_path / "absent.toml")
        with pytest.raises(ClsimpactError, match=r"mine\.toml is no TOML"):
            load_study(written(tmp_path, "[study\n"))
        (tmp_path / "mine.toml").write_bytes(b"title = '\xff'")
        with pytest.raises(ClsimpactError, match="not written in UTF-8"):
            load_study(tmp_path / "mine.toml")
