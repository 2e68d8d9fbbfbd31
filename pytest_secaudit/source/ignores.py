"""The ignores that are written in a file, and the lines that each covers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from pytest_secaudit.source.comments import comments_between
from pytest_secaudit.source.module import Scope, TestModule, dotted_name
from pytest_secaudit.suppressions import MARKER, Suppression, marker_suppression, problem_of, split_codes

_MENTION = re.compile(r"secaudit\s*:")
_COMMENT = re.compile(r"^#*\s*secaudit\s*:\s*(?P<rest>.*)$")
_IGNORE = re.compile(r"^ignore\s*\[(?P<codes>[^\]]*)\](?P<reason>.*)$")


def suppressions_in(module: TestModule) -> tuple[Suppression, ...]:
    """Every ignore in the file, in line order."""
    if MARKER not in module.text:
        return ()
    found = [*_comments(module), *_markers(module)]
    return tuple(sorted(found, key=lambda suppression: suppression.line))


def _comments(module: TestModule) -> Iterator[Suppression]:
    if not _MENTION.search(module.text):
        return
    every = comments_between(module.lines, 1, len(module.lines))
    for line, text in every.items():
        match = _COMMENT.match(text)
        if match:
            target = _line_meant(module, line, every)
            first, last = _statement_lines(module, target)
            codes, reason, problem = _parse_ignore(match["rest"])
            yield Suppression("comment", line, first, last, codes, reason, None, problem, _test_at(module, target))


def _parse_ignore(rest: str) -> tuple[tuple[str, ...], str, str | None]:
    match = _IGNORE.match(rest.strip())
    if match is None:
        return (), "", "is not of the form `# secaudit: ignore[CODE] reason`"
    codes = split_codes([match["codes"]])
    reason = match["reason"].strip().lstrip("-:").strip()
    return codes, reason, problem_of(codes, reason)


def _line_meant(module: TestModule, line: int, comments: Mapping[int, str]) -> int:
    """The line a comment is about: its own, or the next line of code if it stands alone."""
    if not module.lines[line - 1].lstrip().startswith("#"):
        return line
    for number in range(line + 1, len(module.lines) + 1):
        text = module.lines[number - 1].strip()
        if text and not text.startswith("#"):
            return number
    return line


def _statement_lines(module: TestModule, line: int) -> tuple[int, int]:
    """The lines of the innermost statement at ``line``: the whole body for a definition, else its header."""
    best = (line, line)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.stmt):
            first, header, last = _extent(node)
            if first <= line <= header:
                best = (first, last)
    return best


def _extent(node: ast.stmt) -> tuple[int, int, int]:
    """First line, last line of the header, last line that an ignore there covers."""
    end = node.end_lineno or node.lineno
    body: list[ast.stmt] = getattr(node, "body", [])
    if not body or not isinstance(body, list):
        return node.lineno, end, end
    header = max(node.lineno, _first_line(body[0]) - 1)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return _first_line(node), header, end
    return node.lineno, header, header


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min((node.lineno, *(decorator.lineno for decorator in decorators)))


def _test_at(module: TestModule, line: int) -> str | None:
    for scope in module.tests():
        node: ast.stmt = scope.node  # type: ignore[assignment]
        if _first_line(node) <= line <= (node.end_lineno or node.lineno):
            return scope.qualname.replace(".", "::")
    return None


# --- markers


def _markers(module: TestModule) -> Iterator[Suppression]:
    for scope in module.scopes:
        node = scope.node
        for name, decorator in module.decorators(scope):
            if name == f"pytest.mark.{MARKER}":
                first, last = _first_line(node), node.end_lineno or 0  # type: ignore[arg-type,attr-defined]
                yield _from_marker(decorator, first, last, _test_at(module, last))
    for node, scope in module.each(ast.Assign):
        if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets):
            yield from _from_pytestmark(module, node, scope)


def _from_pytestmark(module: TestModule, node: ast.Assign, scope: Scope) -> Iterator[Suppression]:
    values = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]
    first, last = 1, len(module.lines)
    if scope.is_class:
        first, last = scope.node.lineno, scope.node.end_lineno  # type: ignore[attr-defined]
    for value in values:
        function = value.func if isinstance(value, ast.Call) else value
        if dotted_name(function).endswith(f"mark.{MARKER}"):
            yield _from_marker(value, first, last, None)


def _from_marker(decorator: ast.expr, first: int, last: int, test: str | None) -> Suppression:
    arguments: dict[str, object] = {}
    if isinstance(decorator, ast.Call):
        for keyword in decorator.keywords:
            arguments[keyword.arg or ""] = _literal(keyword.value)
    return marker_suppression(arguments, decorator.lineno, first, last, test)


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return node  # not a constant: reported as malformed
