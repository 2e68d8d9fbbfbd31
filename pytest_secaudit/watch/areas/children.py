"""Child processes that somebody on stage started and that still run.

Nothing is reaped and no user's object is asked: the system tells whether a process runs, by its number, and by its start
time whether it is still the same one. While no child is known a look costs a truth test or two. A child that ended and
was never waited for is silent: Python warns of it by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import home_of, names_of
from pytest_secaudit.watch import programs, real
from pytest_secaudit.watch.areas.origins import QUIETLY, library
from pytest_secaudit.watch.areas.patience import Patience
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Site
from pytest_secaudit.watch.tapping import Taps

_RUNNING = "running"
#: Packages that keep processes on purpose, and modules that Python itself runs beside a program's own processes.
_KEEPERS = frozenset(("coverage", "joblib", "loky", "pytest_cov"))
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")

_read = real.own(open)
_waitid: Callable[[int, int, int], object] | None = real.own(os.waitid) if hasattr(os, "waitid") else None
_HAS_PROC = os.path.exists(f"/proc/{os.getpid()}/stat")
_ENDED = "ZX"

if sys.platform == "win32":
    import _winapi

    _SYNCHRONIZE = 0x00100000

    def _runs_on_windows(pid: int) -> bool:
        try:
            handle = _winapi.OpenProcess(_SYNCHRONIZE, False, pid)  # noqa: FBT003 - no child inherits it
        except OSError:
            return False
        try:
            return _winapi.WaitForSingleObject(handle, 0) != _winapi.WAIT_OBJECT_0
        finally:
            _winapi.CloseHandle(handle)


@lean
@dataclass(frozen=True, slots=True)
class _Child:
    """A process as it was when it started; ``direct`` ones are ours to wait for."""

    pid: int
    start: str
    program: str
    site: Site
    direct: bool = True

    @property
    def key(self) -> str:
        return f"{self.pid} {self.start}"

    @property
    def is_somebodys(self) -> bool:
        """Whether a line of the project or of a library that does not keep it started it; not Python or pytest."""
        return bool(self.program) and self.site.written_at is not None and library(self.site) not in _KEEPERS

    def runs(self) -> bool:
        """Whether it has not ended, as cheaply as that can be told."""
        if sys.platform == "win32":
            return _runs_on_windows(self.pid)
        if _waitid is None or not self.direct:
            return self.surely_runs()
        try:
            return _waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except OSError:  # no child of ours any more
            return False

    def surely_runs(self) -> bool:
        """The same, by its start time too: numbers are used again."""
        if not _HAS_PROC:
            return self.runs() if sys.platform == "win32" or (_waitid is not None and self.direct) else False
        state, start = _stat(self.pid)
        return start == self.start and state not in _ENDED


class Children:
    """The processes that `subprocess`, `multiprocessing` and `os` start."""

    name = "children"
    code = "PSA603"
    settles_by_key = True

    def __init__(self, taps: Taps, stack: Stack) -> None:
        can_tell = _HAS_PROC or _waitid is not None or sys.platform == "win32"
        self.off = "" if can_tell else "not on this platform"
        self._taps = taps
        self._stack = stack
        self._fresh: dict[int, _Child] = {}
        self._running: dict[str, _Child] = {}
        self._forks: list[Site] = []
        self._from_before: frozenset[int] = frozenset()
        self._multiprocessing: object = None
        self._patience = Patience()
        if can_tell:
            taps.put(subprocess.Popen, "__init__", self._around_popen)
            for name in ("posix_spawn", "posix_spawnp"):
                taps.put(os, name, self._around_spawn)
            _FORKS.listen(self._forked, beside=taps.is_beside)
            self._from_before = frozenset(_children())

    # --- looking

    @property
    def stirred(self) -> Sequence[object]:
        return (self._fresh, self._running, self._forks)

    def look(self) -> Sequence[Change]:
        if self._multiprocessing is None and "multiprocessing.process" in real.modules:
            self._tap_multiprocessing()
        if not self._fresh and not self._running and not self._forks:
            return ()
        changes = [
            Change(f"process {child.program}", _RUNNING, ABSENT, key=key)
            for key, child in self._running.items()
            if not child.runs()
        ]
        for change in changes:
            del self._running[change.key]
        return changes + [self._new(child) for child in self._started() if child.runs()]

    def _started(self) -> Iterable[_Child]:
        fresh, self._fresh = self._fresh, {}
        forks, self._forks = self._forks, []
        if forks:
            known = {child.pid for child in self._running.values()} | self._from_before | set(fresh)
            fresh.update((pid, _forked_child(pid, forks[-1])) for pid in _children() if pid not in known)
        return [child for child in fresh.values() if child.key not in self._running and child.is_somebodys]

    def _new(self, child: _Child) -> Change:
        self._running[child.key] = child
        return Change(f"process {child.program}", ABSENT, _RUNNING, child.site, child.key)

    # --- acts

    def _around_popen(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            self._note(names_of(args[0])["pid"], programs.popened(*args, **kwargs))
        return result

    def _around_spawn(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        pid = original(*args, **kwargs)
        with QUIETLY:
            self._note(pid, programs.of_path(args[0]))
        return pid

    def _tap_multiprocessing(self) -> None:
        self._multiprocessing = real.modules["multiprocessing.process"]
        found = names_of(self._multiprocessing).get("BaseProcess")
        if isinstance(found, type):
            self._taps.put(found, "start", self._around_start)

    def _around_start(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            names = names_of(args[0])
            popen = names["_popen"]
            direct = not home_of(popen).endswith("popen_forkserver")
            self._note(names_of(popen)["pid"], str(names["_name"]), direct=direct)
        return result

    def _note(self, pid: object, program: str, *, direct: bool = True) -> None:
        if type(pid) is int:
            self._fresh[pid] = _Child(pid, _stat(pid)[1], program, self._stack.site(), direct)

    def _forked(self) -> None:
        """Within `os.fork`, in the parent."""
        with QUIETLY:
            self._forks.append(self._stack.site())

    # --- waiting

    def settle(self, keys: Collection[str] | None = None) -> None:
        """Wait a moment for those that are about to end.

        Args:
            keys: of the changes that are to be claimed; without, all that run.
        """
        names = {key: child.program for key, child in self._running.items() if keys is None or key in keys}
        self._patience.wait(lambda: [key for key in names if self._running[key].runs()], names)

    def is_lasting(self, change: Change) -> bool:
        """Whether it runs, and is still the one that was started."""
        child = self._running.get(change.key)
        return child is not None and child.surely_runs()

    # --- words

    def said(self, change: Change) -> str:
        return "running" if change.after == _RUNNING else "ended"

    def fix(self, change: Change) -> str:  # noqa: ARG002
        return (
            "terminate it and wait for it, in a finally or after the fixture's yield; with subprocess.Popen(...) waits"
        )

    def stop(self) -> None:
        _FORKS.forget(self._forked)
        self._running.clear()
        self._fresh.clear()


class _Forks:
    """`os.register_at_fork` takes no function back: ours is registered once, and passes on to whoever listens."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._beside: list[Callable[[], None]] = []
        self._is_registered = False

    def listen(self, listener: Callable[[], None], *, beside: bool = False) -> None:
        if not hasattr(os, "register_at_fork"):
            return
        if not self._is_registered:
            self._is_registered = True
            os.register_at_fork(after_in_parent=self._tell)
        (self._beside if beside else self._listeners).append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        for listeners in (self._listeners, self._beside):
            if listener in listeners:
                listeners.remove(listener)

    def _tell(self) -> None:
        for listener in (*self._listeners[-1:], *self._beside):  # of several runs, one inside the other, the newest
            listener()


_FORKS = _Forks()


# --- what the system knows


def _stat(pid: int) -> tuple[str, str]:
    """State and start time of a process; empty where there is no telling."""
    with suppress(OSError, IndexError), _read(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
        return fields[0], fields[19]
    return "", ""


def _children() -> list[int]:
    """The children of this process, where the system lists them."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for task in real.listdir("/proc/self/task"):
            with _read(f"/proc/self/task/{task}/children", encoding="utf-8") as file:
                found += map(int, file.read().split())
    return found


def _forked_child(pid: int, site: Site) -> _Child:
    words = _command(pid)
    if any(helper in word for helper in _HELPERS for word in words):
        program = ""
    elif not words or words == _command(real.getpid()):
        program = "forked from this one"
    else:
        program = programs.of_path(words[0])
    return _Child(pid, _stat(pid)[1], program, site)


def _command(pid: int) -> list[str]:
    with suppress(OSError), _read(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
        return file.read().split("\0")
    return []
