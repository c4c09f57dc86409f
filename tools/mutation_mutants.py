"""The mutants of a file: the changes of mutmut's operators, each with where it stands and what kind it is.

mutmut leaves decorated functions out, since it puts a trampoline in their place. The code of a mutant is
exchanged in place here, so properties, cached properties and class methods are mutated too.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

HEADERS = (cst.SimpleStatementLine, cst.If, cst.For, cst.While, cst.With, cst.Try, cst.FunctionDef)
PLAIN_DECORATORS = {"property", "cached_property", "classmethod", "staticmethod", "cache"}
WIDTH = 60
"""Characters that are shown of a change."""


@dataclass(frozen=True)
class Mutant:
    """One change to one function."""

    name: str
    module: str
    function: str
    line: int
    lines: tuple[int, int]
    kind: str
    before: str
    after: str
    default: bool
    span: tuple[int, int]
    text: str

    def changed(self, text: str) -> str:
        """Return the text of the file with this change."""
        return text[: self.span[0]] + self.text + text[self.span[1] :]


class Visitor(MutationVisitor):
    """Collect the changes within functions, decorated ones too, and note where each stands."""

    def __init__(self) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))
        self.found: list[tuple[str, tuple[int, int], int, str, bool]] = []
        self.places: list[CodeRange] = []
        self.indents: list[str] = []
        self._above: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Keep the way down to the node."""
        self._above.append(node)
        return super().on_visit(node)

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Leave it again."""
        self._above.pop()
        super().on_leave(original_node)

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and node.decorators:
            return not {_name(each.decorator) for each in node.decorators} <= PLAIN_DECORATORS
        return super()._skip_node_and_children(node)

    def _create_mutations(self, node: cst.CSTNode) -> None:
        names = [each.name.value for each in self._above if isinstance(each, cst.ClassDef | cst.FunctionDef)]
        functions = [each for each in self._above if isinstance(each, cst.FunctionDef)]
        if not functions or node is functions[0]:
            return
        depth = names.index(functions[0].name.value) + 1
        old = len(self.mutations)
        super()._create_mutations(node)
        for _ in self.mutations[old:]:
            line = self.get_metadata(PositionProvider, node).start.line
            self.found.append(
                (".".join(names[:depth]), self._lines(node), line, self._kind(), self._default())
            )
            self.places.append(self.get_metadata(PositionProvider, node))
            self.indents.append(" " * self._statement().start.column)

    def _statement(self) -> CodeRange:
        statement = next(each for each in reversed(self._above) if isinstance(each, HEADERS))
        place: CodeRange = self.get_metadata(PositionProvider, statement)
        return place

    def _lines(self, node: cst.CSTNode) -> tuple[int, int]:
        """First and last line of the statement, or of its head: a test that runs one meets the change."""
        simple = any(isinstance(each, cst.SimpleStatementLine) for each in self._above)
        last = self._statement() if simple else self.get_metadata(PositionProvider, node)
        return self._statement().start.line, last.end.line

    def _kind(self) -> str:
        """Words are what stands in an error, a warning or a text with blanks; all else computes."""
        for each in self._above:
            called = isinstance(each, cst.Call) and _name(each.func).endswith(("warn", "Error", "Warning"))
            if called or isinstance(each, cst.Raise | cst.FormattedString | cst.ConcatenatedString):
                return "words"
        last = self._above[-1]
        return "words" if isinstance(last, cst.SimpleString) and " " in last.value else "code"

    def _default(self) -> bool:
        return any(isinstance(each, cst.Param) for each in self._above) and not any(
            isinstance(each, cst.Lambda) for each in self._above
        )


def _name(node: cst.CSTNode) -> str:
    return node.attr.value if isinstance(node, cst.Attribute) else getattr(node, "value", "") or ""


def _parsed(text: str) -> tuple[cst.Module, Visitor]:
    wrapper, visitor = MetadataWrapper(cst.parse_module(text)), Visitor()
    return wrapper.visit(visitor), visitor


def mutants_of(path: Path, module: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its text."""
    text = path.read_text(encoding="utf-8")
    tree, visitor = _parsed(text)
    result, met = [], Counter[tuple[str, str, str]]()
    for mutation, where, place in zip(visitor.mutations, visitor.found, visitor.places, strict=True):
        function, lines, line, kind, default = where
        before, after = (tree.code_for_node(node) for node in (mutation.original_node, mutation.mutated_node))
        short = _short(before), _short(after)
        before, after = (code.replace("\n", "\n" + visitor.indents[len(result)]) for code in (before, after))
        met[function, *short] += 1
        key = f"{module} {function} {' '.join(short)} {met[function, *short]}"
        name = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()[:10]
        span = _span(text, place, before)
        result.append(
            Mutant(name, module, function, line, lines, kind, *_shown(*short), default, span, after)
        )
    return result


def _span(text: str, place: CodeRange, code: str) -> tuple[int, int]:
    """Where the code of a node stands, with the brackets around it, which its place is without."""
    starts = [0, *accumulate(len(line) for line in text.splitlines(keepends=True))]
    first, last = (
        starts[place.start.line - 1] + place.start.column,
        starts[place.end.line - 1] + place.end.column,
    )
    before = max(0, code.find(text[first:last]))
    span = first - before, first - before + len(code)
    if text[slice(*span)] != code:
        raise ValueError(f"{place}: another text stands there")
    return span


def sample(mutants: list[Mutant], share: float, seed: int) -> list[Mutant]:
    """Draw the same share of every module and kind; a larger share holds the smaller one."""
    groups: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in mutants:
        groups.setdefault((mutant.module, mutant.kind), []).append(mutant)
    drawn = set()
    for (module, kind), members in groups.items():
        order = sorted(members, key=lambda each: each.name)
        random.Random(f"{seed} {module} {kind}").shuffle(order)
        drawn |= {each.name for each in order[: round(share * len(order))]}
    return [mutant for mutant in mutants if mutant.name in drawn]


def _short(code: str) -> str:
    return " ".join(code.split())


def _shown(before: str, after: str) -> tuple[str, str]:
    """Return both, cut to the surroundings of the change."""
    same = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, same - WIDTH // 2)
    return tuple(
        ("…" if start else "") + text[start : start + WIDTH] + ("…" if len(text) > start + WIDTH else "")
        for text in (before, after)
    )
