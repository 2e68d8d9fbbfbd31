"""Where a note stands, and what a replacement replaces."""

from __future__ import annotations

import ast

from pytest_secaudit.source import TestModule, source_of
from pytest_secaudit.source.mocks import Replacement, resolved_target


def lines_of(node: ast.AST) -> tuple[int, int]:
    """The first and the last line of a node."""
    first: int = getattr(node, "lineno", 1)
    return first, getattr(node, "end_lineno", None) or first


def target_of(module: TestModule, replacement: Replacement) -> str:
    """What is replaced, as the run names it where the file tells; else as it is written."""
    target = resolved_target(module, replacement)
    args = replacement.call.args
    if target or not args:
        return target
    name = args[1].value if len(args) > 1 and isinstance(args[1], ast.Constant) else None
    owner = source_of(args[0], 50)
    return f"{owner}.{name}" if isinstance(name, str) else owner
