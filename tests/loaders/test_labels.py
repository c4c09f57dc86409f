from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.loaders.labels import fold, known_labels, measures, read_toml, translate
from clsimpact.loaders.returns import DIMENSIONS

VOCABULARY = read_toml("labels.toml")
EVERY = [(dimension, word, many) for dimension, words in VOCABULARY.items() for word, many in words.items()]


def test_vocabulary_is_about_dimensions_of_the_returns() -> None:
    assert set(VOCABULARY) <= set(DIMENSIONS)
    assert len(EVERY) > 100


@pytest.mark.parametrize("dimension", list(VOCABULARY))
def test_no_spelling_stands_for_two_words(dimension: str) -> None:
    claimed: dict[str, str] = {}
    for word, many in VOCABULARY[dimension].items():
        for spelling in {fold(word), *map(fold, many)}:
            assert claimed.setdefault(spelling, word) == word, spelling


@pytest.mark.parametrize("dimension", list(VOCABULARY))
def test_every_spelling_reads_as_its_word(dimension: str) -> None:
    for word, many in VOCABULARY[dimension].items():
        for spelling in [word, *many]:
            assert translate(dimension, spelling) == word
            assert translate(dimension, f" {spelling.upper()}\n") == word


@pytest.mark.parametrize(
    ("label", "folded"),
    [
        ("Physical Support:\nPersonal Care  Support ", "physical support personal care support"),
        ("Total [note 3]", "total"),
        ("Total [Notes 1 and 2] clients", "total clients"),
        ("[c]", "[c]"),
        (65, "65"),
    ],
)
def test_folding(label: object, folded: str) -> None:
    assert fold(label) == folded


@given(st.text())
def test_folding_twice_changes_nothing(label: str) -> None:
    assert fold(fold(label)) == fold(label)


def test_unknown_label_names_its_nearest() -> None:
    with pytest.raises(
        KeyError, match=r"'Discharge from Hospitl' is no known route of access.*discharge from hospital"
    ):
        translate("route_of_access", "Discharge from Hospitl")
    with pytest.raises(KeyError, match=r"'zzz' is no known age band\"?$"):
        translate("age_band", "zzz")


def test_labels_of_one_dimension_are_unknown_to_another() -> None:
    assert fold("Nursing") in known_labels("support_setting")
    assert fold("Nursing") not in known_labels("age_band")


def test_every_measure_has_its_unit_return_and_meaning() -> None:
    assert len(measures()) > 30
    for name, entry in measures().items():
        assert set(entry) == {"unit", "return_", "meaning"}, name
        assert all(entry.values()), name


def test_tables_name_known_dimensions_and_measures() -> None:
    tables = read_toml("tables.toml")
    titles = [fold(table["title"]) for table in tables["table"]]
    assert len(titles) == len(set(titles)) == 55
    kinds = {kind for table in tables["table"] for level in table["levels"] for kind in level.split("|")}
    assert kinds <= {*VOCABULARY, "column", "year"}
    said = [*(table.get("fixed", {}) for table in tables["table"]), *tables["column"].values()]
    for says in said:
        for key, word in says.items():
            if key == "measure":
                assert word in measures() or word == "clients", word
            elif key in VOCABULARY:
                assert word in VOCABULARY[key], word
    assert all(table["clients"] in measures() for table in tables["table"] if "clients" in table)
