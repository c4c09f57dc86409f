"""Every tolerance of the library with its reason: what modules say of their constants, as a page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parents[1] / "src" / "clsimpact"

SMALL: Final = 1e-3
"""A float up to this size is a tolerance unless `EXCEPTIONS` says what else it is."""

STEPS: Final = {
    "diagnostics/_honest_conditional.py": ("NEWTON", "SCANNED", "HALVINGS", "FURTHEST"),
    "diagnostics/_honest_flci.py": ("STEPS", "KNOTS", "PER_SEGMENT", "SECTIONS"),
    "diagnostics/_normal_box.py": ("LATTICE", "NEARLY_ONE"),
    "diagnostics/_unit_balance.py": ("STEPS",),
    "diagnostics/_unit_weights.py": ("STEPS", "HALVINGS"),
    "diagnostics/_before.py": ("FURTHEST",),
    "diagnostics/_precision.py": ("LARGEST",),
    "diagnostics/honest_did.py": ("ROUNDS", "PER_ROUND", "FURTHEST"),
    "diagnostics/placebo_adopters.py": ("DIGITS",),
    "diagnostics/placebo_outcomes.py": ("ROUNDS",),
    "diagnostics/pre_trend_power.py": ("STEEPEST",),
    "estimators/_group_time_nuisance.py": ("STEPS",),
    "estimators/_synthetic_blocks.py": ("ALL_WEIGHT",),
    "estimators/_synthetic_published.py": ("SHORT", "LONG", "DROPPED"),
    "estimators/_synthetic_simplex.py": ("SLACK", "EXCHANGES"),
    "estimators/_within_grid.py": ("ROUNDS",),
    "inference/alike.py": ("SAME",),
    "inference/draws.py": ("FAR",),
    "loaders/_quotients.py": ("_DECIMAL", "_HALF", "_PENNY"),
    "loaders/consistency.py": ("_HALF", "_SMALL", "_MONEY"),
    "loaders/reconcile.py": ("_POUNDS", "_HALF", "_SMALL", "_ROUNDING", "_FEW", "_CLOSE"),
    "plots/_spending.py": ("_PENNIES",),
    "plots/cohort_trends.py": ("_ROUNDS",),
    "quality/_totals.py": ("HALF", "SMALL", "POUNDS"),
    "quality/rules/revised.py": ("MONEY", "DECIMAL", "COUNT"),
    "report/pieces/truth.py": ("_DIGITS",),
    "simulate/_draw.py": ("_STEPS",),
    "simulate/_shares.py": ("_STEPS", "_ROUNDS"),
    "_derive.py": ("_SHARE_TOLERANCE",),
}
"""Further constants that say how near is near enough: steps, points, digits, and the rounding of figures."""

EXCEPTIONS: Final = {
    ("_explain.py", 0.0001): "p-values are shown to four digits",
    ("diagnostics/_placebo.py", 0.001): "p-values are shown to three digits",
    ("diagnostics/denominator.py", 0.001): "p-values are shown to three digits",
}
"""Small floats that are no tolerances, by module and value."""

MUST_SAY: Final = {
    "isclose": ("rtol", "rel_tol"),
    "allclose": ("rtol",),
    "pinv": ("rcond", "rtol"),
    "matrix_rank": ("tol", "rtol"),
}
"""Functions with a tolerance of their own that nobody chose, and the arguments that choose one."""


@dataclass(frozen=True)
class Constant:
    """A constant of a module, the text of its value, and the reason that stands with it."""

    name: str
    text: str
    reason: str
    value: ast.expr
    line: int

    @property
    def small(self) -> bool:
        """Whether a small float is in it."""
        return next(small_floats(self.value), None) is not None


def small_floats(tree: ast.AST) -> Iterator[tuple[ast.expr, float]]:
    """Yield the floats of a tree that are not zero and at most `SMALL`; powers such as 2.0**-53 too."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float(value)):
                pass
            case ast.BinOp(
                left=ast.Constant(value=int() | float() as base),
                op=ast.Pow(),
                right=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as power)),
            ):
                value = float(base) ** -power
            case _:
                continue
        if 0 < abs(value) <= SMALL:
            yield node, value


def constants(source: str) -> list[Constant]:
    """Return the upper-case constants of a module with a number, and their reasons.

    A reason is the string below the assignment, or the comment in the lines above it. Names that are
    assigned together share it.
    """
    body, lines = ast.parse(source).body, source.splitlines()
    found: list[Constant] = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        pairs = (
            zip(target.elts, node.value.elts, strict=True)
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            else [(target, node.value)]
        )
        reason = _docstring(after) or _comment(lines, node.lineno)
        for name, value in pairs:
            if isinstance(name, ast.Name) and name.id.isupper() and _is_number(value):
                found.append(Constant(name.id, ast.unparse(value), reason, value, node.lineno))
    return found


def _is_number(value: ast.expr) -> bool:
    """Whether a value is made of numbers alone."""
    allowed = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    parts = list(ast.walk(value))
    return all(
        isinstance(part, allowed)
        and (not isinstance(part, ast.Constant) or isinstance(part.value, int | float))
        for part in parts
    )


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def _comment(lines: list[str], line: int) -> str:
    start = line - 1
    while start and lines[start - 1].startswith("#"):
        start -= 1
    return " ".join(text.lstrip("#: ") for text in lines[start : line - 1])


def unnamed(source: str, module: str) -> list[str]:
    """Return the small floats of a module that are no constant with a reason, and calls that choose none."""
    tree = ast.parse(source)
    reasoned = [one for one in constants(source) if one.reason]
    named = {(it.lineno, it.col_offset) for one in reasoned for it, _ in small_floats(one.value)}
    found = [
        f"{module}:{node.lineno}: {value!r}"
        for node, value in small_floats(tree)
        if (node.lineno, node.col_offset) not in named and (module, value) not in EXCEPTIONS
    ]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in MUST_SAY and not {it.arg for it in call.keywords} & set(MUST_SAY[name]):
            found.append(f"{module}:{call.lineno}: {name} without {MUST_SAY[name][0]}")
    return found


def modules() -> dict[str, str]:
    """Return the source of every module, by its path below the package."""
    return {
        path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(SOURCE.rglob("*.py"))
    }


def page() -> str:
    """Return every tolerance with its reason, as a page."""
    found = {module: constants(source) for module, source in modules().items()}
    rows = {
        "Shares and distances": [(m, it) for m, every in found.items() for it in every if it.small],
        "Steps, points, digits and the rounding of figures": [
            (m, it)
            for m, every in found.items()
            for it in every
            if it.name in STEPS.get(m, ()) and not it.small
        ],
    }
    lines = [
        "# Tolerances",
        "",
        "How near is near enough, everywhere in the library: each constant, the module that it stands in,",
        "and the reason that stands with it there. A test refuses a small number in the source that is no",
        "such constant, and a constant without a reason. Made by `make docs` from the source.",
    ]
    for title, every in rows.items():
        lines += ["", f"## {title}", "", "| constant | reason |", "|---|---|"]
        lines += [
            f"| `{it.name}`: {it.text}<br>`{module}` | {it.reason.replace('|', chr(92) + '|')} |"
            for module, it in every
        ]
    lines += ["", "## Small numbers that are none", "", "| number | module | what it is |", "|---|---|---|"]
    lines += [f"| `{value:g}` | `{module}` | {why} |" for (module, value), why in EXCEPTIONS.items()]
    return "\n".join(lines) + "\n"
