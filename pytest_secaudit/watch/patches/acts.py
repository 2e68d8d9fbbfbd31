"""What is changed by an act that notes itself how to undo it: of `pytest.MonkeyPatch`, of the `fixtures` package."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from pytest_secaudit.watch.patches.register import Register
from pytest_secaudit.watch.patches.targets import (
    NOTHING,
    Slot,
    a_type,
    attribute_subject,
    is_process_wide,
    item_subject,
    raw,
)

REMOVED = "removed"
DELETED = "deleted"

What = Literal["attribute", "item", "cwd", "path"]


class Act:
    """One change, in force until it is undone.

    Attributes:
        target: the object or mapping that was changed.
        name: the attribute, the key, or the entry of ``sys.path``.
        before: what the object itself held under the name, or `NOTHING`.
        removed: the name was taken away.
        is_undone: it is no longer in force.
    """

    __slots__ = ("__weakref__", "before", "is_undone", "name", "removed", "target")

    def __init__(self, target: object, name: object, before: object, *, removed: bool = False) -> None:
        self.target = target
        self.name = name
        self.before = before
        self.removed = removed
        self.is_undone = False


def undone(register: Register, act: Act) -> None:
    """The act is undone now, or will be in the next moment."""
    register.close(act)
    act.is_undone = True


class ActKind:
    """How acts of one sort are spoken of.

    Args:
        word: begins the keys of their changes.
        what: the sort.
        fix: makes the line that says what to do, of a subject and what is said of it.
    """

    def __init__(self, word: str, what: What, fix: Callable[[str, str], str]) -> None:
        self.word = f"{word}.{what}"
        self._what = what
        self.fix = fix

    def slot(self, act: Act) -> Slot | None:
        return (act.target, str(act.name), act.before) if self._what == "attribute" else None

    def target(self, act: Act) -> object | None:
        return None if self._what in ("cwd", "path") or is_process_wide(act.target) else act.target

    def given(self, _act: Act, _name: str) -> str:
        return ""

    def is_in_force(self, act: Act) -> bool:
        return not act.is_undone

    def let_go(self, act: Act) -> None:
        if self._what in ("cwd", "path"):  # the target is the one who will undo it, if anybody still knows it
            act.target = None

    def subjects(self, act: Act, target: str) -> Iterable[tuple[str, str]]:
        if self._what == "cwd":
            yield "the working directory", "changed"
        elif self._what == "path":
            yield f"sys.path[{act.name!r}]", "added"
        elif self._what == "item":
            yield item_subject(act.target, act.name, target or "a dictionary"), REMOVED if act.removed else "set"
        else:
            yield attribute_subject(act.target, str(act.name), target), _replaced(act)


def _replaced(act: Act) -> str:
    if act.removed:
        return DELETED
    value = raw(act.target, str(act.name))
    return "replaced" if value is NOTHING else f"replaced by {a_type(value)}"
