"""Words that copies of a table share: pandas copies ``attrs``, with all they hold, at nearly every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

__all__ = ["Shared", "shared"]


class Shared(dict[str, Any]):
    """A dict that cannot be changed, nor the dicts in it; a copy, deep or not, is the dict itself.

    Examples
    --------
    >>> from copy import deepcopy
    >>> words = Shared({"y": {"unit": "£"}})
    >>> deepcopy(words) is words, {**words, "z": {}}
    (True, {'y': {'unit': '£'}, 'z': {}})
    >>> words["y"]["unit"] = "people"
    Traceback (most recent call last):
    ...
    TypeError: These words are shared by every copy of the table. Give it others: {**words, name: ...}.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        super().__init__({name: shared(value) for name, value in words.items()})

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(
            "These words are shared by every copy of the table. Give it others: {**words, name: ...}."
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> Shared:
        return self

    def __deepcopy__(self, memo: object) -> Shared:
        return self

    def __reduce__(self) -> tuple[type[Shared], tuple[dict[str, Any]]]:
        return Shared, (dict(self),)


def shared(value: Any) -> Any:
    """Return what copies share in place of dicts and lists, however deep; anything else as it is.

    Examples
    --------
    >>> shared([{"id": "asc_fr"}, {"id": "salt"}])
    ({'id': 'asc_fr'}, {'id': 'salt'})
    """
    if isinstance(value, Mapping):
        return Shared(value)
    return tuple(map(shared, value)) if isinstance(value, list | tuple) else value
