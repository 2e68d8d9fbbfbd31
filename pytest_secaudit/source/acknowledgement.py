"""Comments and docstrings in which the author explains a wait: quoted in the report, a reason to report it lower."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping

from pytest_secaudit.source.module import Scope, TestModule

_ABOUT_WAITING = re.compile(r"\b(sleep|wait|delay|rac(e|y|ing)\b|timing|time to)", re.IGNORECASE)
_WAITS = re.compile(r"\b(sleep|wait|delay|timing)", re.IGNORECASE)
_QUOTES = re.compile(r"^\s*[rRuU]?(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')\s*$")
_NOT_PROSE = re.compile(
    r"^(noqa|type:|pragma|pylint|pyright|nosec|fmt:|secaudit|isort|flake8|todo\b|fixme\b|xxx\b)", re.IGNORECASE
)


def acknowledgement(module: TestModule, scope: Scope, node: ast.AST, sleeping: Scope | None = None) -> str | None:
    """The comment that explains a wait at ``node``, with its lines: ``188-189: it needs a moment``.

    Either prose of three words or more on the statement or up to three lines above it, or a
    comment above it in the same test that speaks of waiting; else the paragraph of a docstring
    that does: of the function that sleeps, or of one around it.
    """
    first: int = node.lineno  # type: ignore[attr-defined]
    last: int = node.end_lineno or first  # type: ignore[attr-defined]
    comments = {
        line: text
        for line, text in module.comments(scope.outermost).items()
        if text and line <= last and not _NOT_PROSE.match(text)
    }
    near = {line for line in comments if line >= first - 3 and len(comments[line].split()) >= 3}
    if near:
        return _quote(comments, max(near), comments.keys())
    about = {line for line in comments if _ABOUT_WAITING.search(comments[line])}
    if about:
        return _quote(comments, max(about), about)
    return _docstring_about_waiting(module, sleeping or scope) or _docstring_about_waiting(module, scope)


def _docstring_about_waiting(module: TestModule, scope: Scope) -> str | None:
    around: Scope | None = scope
    while around is not None and not around.is_class and around is not module.root:
        said = _paragraph(module, around) if around.is_function else None
        if said:
            return said
        around = around.enclosing
    return None


def _paragraph(module: TestModule, function: Scope) -> str | None:
    """The paragraph of the docstring that speaks of waiting, with its lines."""
    first = function.node.body[0]  # type: ignore[attr-defined]
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return None
    if not isinstance(first.value.value, str) or not _WAITS.search(first.value.value):
        return None
    numbers = range(first.lineno, (first.end_lineno or first.lineno) + 1)
    lines = {number: _QUOTES.sub("", module.lines[number - 1]).strip() for number in numbers}
    prose = {number: line for number, line in lines.items() if line}
    line = next((number for number in prose if _WAITS.search(prose[number])), None)
    if line is None:
        return None
    while line + 1 in prose:
        line += 1
    return _quote(prose, line, prose.keys())


def _quote(comments: Mapping[int, str], last: int, block: Collection[int]) -> str:
    """The comment lines that end at ``last`` and belong to ``block``, without a gap."""
    first = last
    while first - 1 in block:
        first -= 1
    lines = f"{first}-{last}" if first < last else f"{last}"
    return f"{lines}: {' '.join(comments[line] for line in range(first, last + 1))}"
