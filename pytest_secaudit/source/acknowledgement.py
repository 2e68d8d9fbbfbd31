"""Comments in which the author explains a wait: quoted in the report, and a reason to report it lower."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping

from pytest_secaudit.source.module import Scope, TestModule

_ABOUT_WAITING = re.compile(r"\b(sleep|wait|delay|rac(e|y|ing)\b|timing|time to)", re.IGNORECASE)
_NOT_PROSE = re.compile(
    r"^(noqa|type:|pragma|pylint|pyright|nosec|fmt:|secaudit|isort|flake8|todo\b|fixme\b|xxx\b)", re.IGNORECASE
)


def acknowledgement(module: TestModule, scope: Scope, node: ast.AST) -> str | None:
    """The comment that explains a wait at ``node``, with its lines: ``188-189: it needs a moment``.

    Either prose of three words or more on the statement or up to three lines above it, or a
    comment above it in the same test that speaks of waiting.
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
    return _quote(comments, max(about), about) if about else None


def _quote(comments: Mapping[int, str], last: int, block: Collection[int]) -> str:
    """The comment lines that end at ``last`` and belong to ``block``, without a gap."""
    first = last
    while first - 1 in block:
        first -= 1
    lines = f"{first}-{last}" if first < last else f"{last}"
    return f"{lines}: {' '.join(comments[line] for line in range(first, last + 1))}"
