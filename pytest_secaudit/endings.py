"""Who ends what a method of a test class starts: asked of the live class, whose bases the file does not show.

Only code objects are looked at; nothing of the class is called, and no attribute is got from it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from pytest_secaudit.notes import Note
from pytest_secaudit.strangers import bases_of, names_of

#: Calls that see to an end, by how a review names them.
_SEES_TO_THE_END = ("useFixture", "addCleanup", "addAsyncCleanup", "addfinalizer", "enter_context", "enterContext")
_STEPS = 3


def with_endings(
    notes: Iterable[Note], module: types.ModuleType | None, relative: Callable[[str], str]
) -> tuple[Note, ...]:
    """The notes, where a start says how it ends: ``useFixture in nova/test.py:462``.

    Args:
        notes: of one file.
        module: the imported module, or None.
        relative: a file name as reports write it.
    """
    found: list[Any] = list(names_of(module).values())
    classes = [value for value in found if issubclass(type(value), type)]
    return tuple(
        replace(note, ends=_ending(classes, note.ends.removeprefix("self."), relative))
        if note.kind == "start" and note.ends.startswith("self.")
        else note
        for note in notes
    )


def _ending(classes: Iterable[type], method: str, relative: Callable[[str], str]) -> str:
    for cls in classes:
        code = _code(cls, method)
        for found, call in _calls(cls, code, _STEPS) if code is not None else ():
            return f"{call} in {relative(found.co_filename)}:{found.co_firstlineno}"
    return ""


def _calls(cls: type, code: types.CodeType, steps: int) -> Iterator[tuple[types.CodeType, str]]:
    for name in _SEES_TO_THE_END:
        if name in code.co_names:
            yield code, name
    if steps:
        for name in code.co_names:
            inner = _code(cls, name)
            if inner is not None and inner is not code:
                yield from _calls(cls, inner, steps - 1)


def _code(cls: type, name: str) -> types.CodeType | None:
    for base in bases_of(cls):
        found = names_of(base).get(name)
        if type(found) is types.FunctionType:
            return found.__code__
    return None
