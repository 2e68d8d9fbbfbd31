"""asyncio tasks that nobody waited for: still pending when their owner's scope is over.

asyncio knows its tasks; its sets are read, and nothing is imported. Tasks that run an installed library's coroutine are
that library's affair. Python 3.14 keeps its tasks where only those of one loop are to be had: there, the current one's.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import CoroutineType, FrameType, ModuleType
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.loops import current_loop, is_open
from pytest_secaudit.watch.areas.origins import library
from pytest_secaudit.watch.areas.patience import Patience
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import Taps

#: The first until Python 3.11, the others since then; a task may be in both.
_SETS = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")


@lean
@dataclass(frozen=True, slots=True)
class _Task:
    """A task that was pending at the last look."""

    task: weakref.ref[Any]
    subject: str
    key: str
    slot: Held


class Tasks:
    """The tasks of all loops."""

    name = "async tasks"
    code = "PSA606"
    seldom = True
    settles_by_key = True
    off = ""

    def __init__(self, taps: Taps, stack: Stack, *, by_loop: bool = sys.version_info >= (3, 14)) -> None:  # noqa: ARG002
        self._stack = stack
        self._by_loop = by_loop
        self._known: dict[int, _Task] = {}
        self._ignored: dict[int, weakref.ref[Any]] = {}
        self._patience = Patience()
        self._module: ModuleType | None = None
        self._sets: tuple[Collection[Any], ...] = ()
        self._has_looked = False

    def look(self) -> Sequence[Change]:
        tasks = real.modules.get("asyncio.tasks")
        if tasks is not self._module:
            self._module = tasks
            self._sets = () if tasks is None else _sets(vars(tasks))
        if not self._known and self._has_looked and not self._by_loop and not any(self._sets):
            return ()
        found = () if tasks is None else self._all(tasks)
        pending = {id(task): task for task in found if self._counts(task)}
        changes = self._gone(pending)
        changes += [self._new(task) for key, task in pending.items() if key not in self._known]
        if not self._has_looked:
            self._has_looked = True
            self._ignored.update((key, known.task) for key, known in self._known.items())
            self._known.clear()
            return ()
        return changes

    def _all(self, tasks: ModuleType) -> Collection[Any]:
        if not self._by_loop:
            every = [one for found in self._sets for one in list(found)]  # copied at once: threads may add to them
            return [one() if type(one) is weakref.ref else one for one in every]
        events = real.modules.get("asyncio.events")
        loop = current_loop(vars(events).get("_event_loop_policy")) if events is not None else None
        return tuple(vars(tasks)["all_tasks"](loop)) if loop is not None and is_open(loop) else ()

    # --- one task

    def _counts(self, task: Any) -> bool:
        """Whether it is pending, and the project's or the tests' own."""
        key = id(task)
        if key in self._known and self._known[key].task() is task:
            return _is_pending(task)
        if not _is_pending(task) or (key in self._ignored and self._ignored[key]() is task):
            return False
        coroutine = _coroutine_of(task)
        frame = coroutine.cr_frame if coroutine is not None else None
        if frame is None or self._is_a_librarys(frame):
            self._ignored = {one: ref for one, ref in self._ignored.items() if ref() is not None}
            self._ignored[key] = weakref.ref(task)
            return False
        return True

    def _is_a_librarys(self, frame: FrameType) -> bool:
        if self._stack.kind(frame) == "machinery":  # asyncio.sleep is nobody's; of a plugin, it is the plugin's
            return "-packages" in frame.f_code.co_filename
        return bool(library(self._stack.of(frame)))

    def _new(self, task: Any) -> Change:
        coroutine = _coroutine_of(task)
        name = coroutine.__qualname__.replace("<locals>.", "") if coroutine is not None else ""
        slot = Held(task, "pending")
        slot.loosen()
        key = id(task)
        known = self._known[key] = _Task(weakref.ref(task), f"asyncio task {name}", f"{name} {key}", slot)
        return Change(known.subject, ABSENT, slot, key=known.key)

    def _gone(self, pending: Collection[int]) -> list[Change]:
        gone = [key for key, known in self._known.items() if key not in pending or known.task() is None]
        return [Change(one.subject, one.slot, ABSENT, key=one.key) for one in map(self._known.pop, gone)]

    # --- waiting

    def settle(self, keys: Collection[str] | None = None) -> None:
        """A loop that runs in another thread may be about to finish them."""
        names = {key: known.subject for key, known in self._known.items() if keys is None or known.key in keys}
        self._patience.wait(lambda: [key for key in names if _is_running(self._known[key].task())], names)

    # --- words

    def said(self, change: Change) -> str:
        task: Any = change.after.value if type(change.after) is Held else None
        if task is not None and not is_open(_kind_of_task().get_loop(task)):
            return "pending for ever, on a closed loop"
        return "pending"

    def fix(self, change: Change) -> str:  # noqa: ARG002
        return "await it, or cancel it and await it; an asyncio.TaskGroup does so"

    def stop(self) -> None:
        self._known.clear()
        self._ignored.clear()


def _sets(space: Mapping[str, Any]) -> tuple[Collection[Any], ...]:
    """The sets in which asyncio keeps its tasks, or references to them."""
    found = [space[name] for name in _SETS if name in space]
    return tuple(getattr(one, "data", one) for one in found)


def _kind_of_task() -> Any:
    return vars(real.modules["asyncio.tasks"])["Task"]


def _is_pending(task: Any) -> bool:
    """Whether it is asyncio's own kind of task, and not done."""
    kind = _kind_of_task()
    return issubclass(type(task), kind) and not kind.done(task)


def _coroutine_of(task: Any) -> CoroutineType[Any, Any, Any] | None:
    """What the task runs, if that is a plain coroutine."""
    found = _kind_of_task().get_coro(task)
    return found if type(found) is CoroutineType else None


def _is_running(task: Any) -> bool:
    """Whether it is pending on a loop that runs, and not in this very thread, where it would wait for us."""
    try:
        loop = _kind_of_task().get_loop(task) if task is not None and _is_pending(task) else None
        return loop is not None and bool(loop.is_running()) and loop is not _running_here()
    except Exception:  # a loop with a mind of its own
        return False


def _running_here() -> object:
    return vars(real.modules["asyncio.events"])["_get_running_loop"]()
