"""Test code as text: a parsed module, and the questions that rules ask of it.

`module` holds the module itself; the other files answer one kind of question each: what names mean,
what asserts, what is replaced, what is changed and whether it is put back.
"""

from __future__ import annotations

from pytest_secaudit.source.module import (
    FUNCTIONS,
    Function,
    Role,
    Scope,
    TestModule,
    dotted_name,
    own_nodes,
    parameter_names,
    source_of,
    terminal_name,
)

__all__ = [
    "FUNCTIONS",
    "Function",
    "Role",
    "Scope",
    "TestModule",
    "dotted_name",
    "own_nodes",
    "parameter_names",
    "source_of",
    "terminal_name",
]
