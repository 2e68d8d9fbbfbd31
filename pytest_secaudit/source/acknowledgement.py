"""Comments and docstrings in which the author explains a wait: quoted in the report, a reason to report it lower."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping

from pytest_secaudit.source.module import Scope, TestModule

#: "the server waits for the client" says what somebody else does, and a delayed task is a kind of task.
_WAIT = r"\b(sleep|wait(?!s\b)|(?<!\w\s)waits\b|delay(?!ed)|timing)"
_WAITS = re.compile(_WAIT, re.IGNORECASE)
_ABOUT_WAITING = re.compile(rf"{_WAIT}|\brac(e|y|ing)\b|\btime\sto\b(?!.live)", re.IGNORECASE)
#: What comments right above a wait speak of, if it is what they explain: time, and what may not have happened yet.
_SAYS_WHY = re.compile(
    _ABOUT_WAITING.pattern
    + r"""
    |\b(a\ (bit|little|moment|while)|briefly|chance|heartbeat|momentarily|opportunity|plenty|roughly)\b
    |\blet(s|ting)?\b|\ballow(s|ing)?\b.*\bto\b|\bgiv(e|es|ing)\b.*\btime\b
    |\b(again\ later|eventually|immediately|soon|until|yet)\b|\btoo\ (early|fast|quick)
    |\b(later|longer|shorter)\ than\b|\blong\ enough\b|\bpast\ the\b
    |\b(be|become|get|is|are|not)(\ \w+)?\ (available|ready|visible)\b
    |\b(are|can|has|have|is|must|will)(\ \w+)?\ (arriv|complet|finish|settl|start)
    |\b(deadline|elaps|expir|hang|idle|interval|keep-?alive|paus|period|time-?outs?|ttl)
    |\b(concurren|context\ switch|interleav|slow)|\b(comes|happens)\ (after|before|first)\b
    |\b(clock|granularity|mtime|resolution|ticks?\b|time-?stamp|timed|timer)|\btime\ for\b
    |\b(a|another|\d+)\ ?(few\ )?(micro|milli)?(s|ms|secs?|seconds?|minutes?)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_QUOTES = re.compile(r"^\s*[rRuU]?(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')\s*$")
_NOT_PROSE = re.compile(
    r"^(noqa|type:|pragma|pylint|pyright|nosec|fmt:|secaudit|isort|flake8|todo\b|fixme\b|xxx\b)", re.IGNORECASE
)


def acknowledgement(module: TestModule, scope: Scope, node: ast.AST, sleeping: Scope | None = None) -> str | None:
    """The comment that explains a wait at ``node``, with its lines: ``188-189: it needs a moment``.

    Either prose of three words or more behind the statement itself, or up to three lines above it if it
    speaks of time or of what may not have happened yet, or a comment above it in the same test that speaks of
    waiting; else the paragraph of a docstring that does: of the function that sleeps, or of one around it.
    """
    first: int = node.lineno  # type: ignore[attr-defined]
    last: int = node.end_lineno or first  # type: ignore[attr-defined]
    comments = {
        line: text
        for line, text in module.comments(scope.outermost).items()
        if text and line <= last and not _NOT_PROSE.match(text)
    }
    near = _near(comments, first)
    if near is not None:
        return _quote(comments, near, comments.keys())
    about = {line for line in comments if _ABOUT_WAITING.search(comments[line])}
    if about:
        return _quote(comments, max(about), about)
    return _docstring_about_waiting(module, sleeping or scope) or _docstring_about_waiting(module, scope)


def _near(comments: Mapping[int, str], first: int) -> int | None:
    """The line at which prose ends that stands behind the statement, or right above it and says why it waits."""
    for line in sorted((line for line in comments if line >= first - 3), reverse=True):
        said = comments[line] if line >= first else _text(comments, line, comments.keys())
        if len(said.split()) >= 3 and (line >= first or _SAYS_WHY.search(said)):
            return line
    return None


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
    first = _start(last, block)
    lines = f"{first}-{last}" if first < last else f"{last}"
    return f"{lines}: {_text(comments, last, block)}"


def _text(comments: Mapping[int, str], last: int, block: Collection[int]) -> str:
    return " ".join(comments[line] for line in range(_start(last, block), last + 1))


def _start(last: int, block: Collection[int]) -> int:
    first = last
    while first - 1 in block:
        first -= 1
    return first
