"""Words that copies of a table share: they cannot be changed, and pandas need not copy them."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._shared import shared

WORDS = {"y": {"label": "Days", "unit": "days"}, "z": {"label": "Cost", "unit": "£"}}

CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda words: words.__setitem__("y", {}),
    "delete": lambda words: words.__delitem__("y"),
    "join": lambda words: words.__ior__({"x": {}}),
    "clear": lambda words: words.clear(),
    "pop": lambda words: words.pop("y"),
    "pop an item": lambda words: words.popitem(),
    "default": lambda words: words.setdefault("x", {}),
    "update": lambda words: words.update(x={}),
    "deeper": lambda words: words["y"].update(unit="people"),
}

OF_LISTS: dict[str, Callable[[Any], object]] = {
    "set": lambda words: words.__setitem__(0, {}),
    "delete": lambda words: words.__delitem__(0),
    "add": lambda words: words.__iadd__([{}]),
    "repeat": lambda words: words.__imul__(2),
    "append": lambda words: words.append({}),
    "clear": lambda words: words.clear(),
    "extend": lambda words: words.extend([{}]),
    "insert": lambda words: words.insert(0, {}),
    "pop": lambda words: words.pop(),
    "remove": lambda words: words.remove(WORDS),
    "reverse": lambda words: words.reverse(),
    "sort": lambda words: words.sort(key=str),
    "deeper": lambda words: words[0]["y"].clear(),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_nothing_in_a_dict_can_be_changed(change: str) -> None:
    words = shared(WORDS)
    with pytest.raises(TypeError, match=r'table.attrs\["columns"\] = \{\*\*table.attrs'):
        CHANGES[change](words)
    assert words == WORDS


@pytest.mark.parametrize("change", list(OF_LISTS))
def test_nothing_in_a_list_can_be_changed(change: str) -> None:
    words = shared([WORDS, {}])
    with pytest.raises(TypeError, match=r"shared by every copy of the table\. Give it others, as table"):
        OF_LISTS[change](words)
    assert words == [WORDS, {}]


def test_what_they_were_made_of_stays_its_owners() -> None:
    own = copy.deepcopy(WORDS)
    words = shared({"columns": own, "sources": [own]})
    own["y"]["unit"] = "people"
    assert words == {"columns": WORDS, "sources": [WORDS]}


def test_a_changed_copy_is_plain() -> None:
    changed = {**shared(WORDS), "x": {}}
    changed |= {"y": {}}
    more = [*shared([WORDS]), {}]
    assert (type(changed), type(shared(WORDS) | {}), type(more)) == (dict, dict, list)


def test_copies_are_the_same_object_through_pandas_and_plain_through_pickles() -> None:
    table = pd.DataFrame({"y": [1.0, 2.0]})
    table.attrs = {"columns": shared(WORDS), "sources": shared([WORDS])}
    later = table[table["y"] > 1].rename(columns={"y": "x"}).reset_index()
    assert later.attrs["columns"] is table.attrs["columns"]
    assert later.attrs["sources"] is table.attrs["sources"]
    assert b"clsimpact" not in pickle.dumps(table)
    again = pickle.loads(pickle.dumps(table)).attrs
    assert again == table.attrs
    assert (type(again["columns"]["y"]), type(again["sources"])) == (dict, list)


def test_a_panel_and_its_copy_from_a_file_have_equal_words(tmp_path: Path) -> None:
    panel = ci.load_panel().head(2)
    assert json.loads(json.dumps(panel.attrs)) == panel.attrs
    panel.to_parquet(tmp_path / "panel.parquet")
    again = pd.read_parquet(tmp_path / "panel.parquet")
    assert pd.concat([panel, again.astype(panel.dtypes)]).attrs == panel.attrs
