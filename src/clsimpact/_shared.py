"""Words that copies of a table share: pandas copies ``attrs``, with all they hold, at nearly every step."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["shared"]

_WHY = "These words are shared by every copy of the table. Give it others, "


class _Dict(dict[str, Any]):
    """A dict that cannot be changed in place; a copy, deep or not, is the dict itself."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f'{_WHY}as table.attrs["columns"] = {{**table.attrs["columns"], name: ...}}.')

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> _Dict:
        return self

    def __deepcopy__(self, memo: object) -> _Dict:
        return self

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


class _List(list[Any]):
    """The same of a list."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f'{_WHY}as table.attrs["sources"] = [*table.attrs["sources"], ...].')

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __copy__(self) -> _List:
        return self

    def __deepcopy__(self, memo: object) -> _List:
        return self

    def __reduce__(self) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (list(self),)


def shared(value: Any) -> Any:
    """Return dicts and lists, however deep, as ones that copies share; anything else as it is.

    They cannot be changed in place, are equal to plain ones, and become plain ones in files.

    Examples
    --------
    >>> from copy import deepcopy
    >>> words = shared({"y": {"unit": "£"}})
    >>> deepcopy(words) is words, {**words, "z": {}}
    (True, {'y': {'unit': '£'}, 'z': {}})
    >>> words["y"]["unit"] = "people"
    Traceback (most recent call last):
    ...
    TypeError: These words are shared by every copy of the table. Give it others, as table.attrs[...
    """
    if isinstance(value, dict):
        return _Dict({name: shared(held) for name, held in value.items()})
    return _List(map(shared, value)) if isinstance(value, list) else value
