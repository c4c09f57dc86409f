"""Tokens of TOML and JSON files: other kinds, absurd numbers, deep nesting, keys twice."""

from __future__ import annotations

import re
from random import Random

from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\b(?:true|false|null)\b|\[\]|\{\}')
_VALUES = (
    *(
        "0",
        "-1",
        "1e400",
        "-0.0",
        "99999999999999999999999999",
        "1e-400",
        "true",
        "false",
        '""',
        '"\\u0000"',
        "[]",
    ),
    *("{}", "[[]]", '"x"', '"../../x"', '"\\u202e"', "3.5", '"nan"', '"2016-17"', "[1, 2]", '["a", "b"]'),
)
_JSON_ONLY = ("NaN", "Infinity", "-Infinity", "null", '{"a": 1}', '"\\ud800"')
_TOML_ONLY = ("nan", "inf", "2016-04-01", "2016-04-01T00:00:00Z", "{ a = 1 }", "'''x'''", "0xff", "1_000")


def _content(seed: Seed) -> str | None:
    return seed.content.decode("utf-8-sig") if seed.kind in ("toml", "json") else None


def other_value(random: Random, seed: Seed) -> Mutated | None:
    """Put another value, of the same or another kind, in the place of one to three."""
    text = _content(seed)
    if text is None:
        return None
    notes = []
    for _ in range(random.choice((1, 1, 2, 3))):
        found = random.choice(list(_TOKEN.finditer(text)))
        value = random.choice((*_VALUES, *(_JSON_ONLY if seed.kind == "json" else _TOML_ONLY)))
        notes.append(f"{found[0][:20]} -> {value}")
        text = text[: found.start()] + value + text[found.end() :]
    return Mutated(text.encode("utf-8", errors="surrogatepass"), "other_value", "; ".join(notes))


def deep_nesting(random: Random, seed: Seed) -> Mutated | None:
    """Nest lists and tables thousands deep."""
    text = _content(seed)
    if text is None:
        return None
    depth = random.choice((60, 990, 5_000, 200_000))
    opened, closed = random.choice((("[", "]"), ('{"a":', "}") if seed.kind == "json" else ("{a=", "}")))
    nested = opened * depth + "1" + closed * random.choice((depth, 0))
    found = random.choice(list(_TOKEN.finditer(text)))
    text = random.choice((nested, text[: found.start()] + nested + text[found.end() :]))
    return Mutated(text.encode(), "deep_nesting", f"{depth} {opened}")


def key_twice(random: Random, seed: Seed) -> Mutated | None:
    """Write a line a second time, take one out, or move it."""
    text = _content(seed)
    if text is None:
        return None
    lines = re.split(r"(?<=[,\n])", text)
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    what = random.choice(("twice", "out", "moved"))
    line = lines[first]
    if what != "twice":
        lines.pop(first)
    if what != "out":
        lines.insert(second, line)
    return Mutated("".join(lines).encode(), "key_twice", f"{what} {line[:30]!r}")


def key_renamed(random: Random, seed: Seed) -> Mutated | None:
    """Change a letter of a name."""
    text = _content(seed)
    if text is None:
        return None
    names = list(re.finditer(r"[a-z_]{3,}", text))
    found = random.choice(names)
    place = random.randrange(found.start(), found.end())
    text = text[:place] + random.choice(("x", "", "_", "é", "-", ".")) + text[place + 1 :]
    return Mutated(text.encode(), "key_renamed", found[0])


MUTATIONS = (other_value, deep_nesting, key_twice, key_renamed)
