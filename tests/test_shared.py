"""Words that copies of a table share: they cannot be changed, and pandas need not copy them."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import pandas as pd
import pytest

from clsimpact._shared import Shared, shared

WORDS = {"y": {"label": "Days", "unit": "days"}, "z": {"label": "Cost", "unit": "£"}}

CHANGES: dict[str, Callable[[Shared], object]] = {
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


@pytest.mark.parametrize("change", list(CHANGES))
def test_nothing_in_them_can_be_changed(change: str) -> None:
    words = Shared(WORDS)
    with pytest.raises(TypeError, match="shared by every copy"):
        CHANGES[change](words)
    assert words == WORDS


def test_what_they_were_made_of_stays_its_owners() -> None:
    own = copy.deepcopy(WORDS)
    words = shared({"columns": own, "sources": [own]})
    own["y"]["unit"] = "people"
    assert words == {"columns": WORDS, "sources": (WORDS,)}


def test_a_changed_copy_is_a_plain_dict() -> None:
    changed = {**Shared(WORDS), "x": {}}
    changed |= {"y": {}}
    assert (type(changed), type(Shared(WORDS) | {}), type(Shared(WORDS).copy())) == (dict, dict, dict)


def test_copies_are_the_same_object_through_pandas_and_equal_through_files() -> None:
    table = pd.DataFrame({"y": [1.0, 2.0]})
    table.attrs = {"columns": shared(WORDS), "sources": shared([WORDS])}
    later = table[table["y"] > 1].rename(columns={"y": "x"}).reset_index()
    assert later.attrs["columns"] is table.attrs["columns"]
    assert later.attrs["sources"] is table.attrs["sources"]
    words = table.attrs["columns"]
    assert pickle.loads(pickle.dumps(words)) == json.loads(json.dumps(words)) == WORDS
    assert type(pickle.loads(pickle.dumps(words))["y"]) is Shared
