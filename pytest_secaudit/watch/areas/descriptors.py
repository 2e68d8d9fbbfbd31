"""Files and sockets that are left open.

A descriptor always gets the lowest free number: as long as that is the same, hardly anything was opened; beside that a
close look counts. Only when one of them trips, the descriptors are listed. Of a socket that begins to listen one hears,
so that a quick look need not ask the system. Reported are listening sockets, and of regular files and
connected sockets those that the project or its tests hold on to, or that nobody closes because they are a mere number:
what a library keeps, and what only waits to be collected, is not.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.holders import Holders
from pytest_secaudit.watch.lasting_paths import in_the_temporary_folder
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Site
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes

_OPEN = "open"
_STANDARD = ("0", "1", "2")  # pytest points them here and there
_LISTENING = "listening socket on "
_SOCKET = "socket"
_DATABASES = (b"SQLite format 3", b"\x89HDF", b"LMDB", b"\x13\x57\x9a\xce")
#: What SQLite keeps open beside a database while a transaction lasts; its first bytes are zero until it is synced.
_BESIDE_A_DATABASE = ("-journal", "-wal")
#: Linux adds it to the path of an open file that is removed.
_REMOVED = " (deleted)"

_dup = real.own(os.dup)
_close = real.own(os.close)
_fstat = real.own(os.fstat)
_read = real.own(open)
_pread: Callable[[int, int, int], bytes] | None = real.own(os.pread) if hasattr(os, "pread") else None


@lean
@dataclass(frozen=True, slots=True)
class _Open:
    """A descriptor and what it leads to; without a subject it is of no interest."""

    number: int
    target: str
    subject: str = ""

    @property
    def key(self) -> str:
        return f"{self.number} {self.target}"


class Descriptors:
    """The open descriptors of the process.

    Args:
        is_project: whether a module's file is under the rootdir.
        relative: a file name as the report writes it.
        whoever_holds: what is open counts even if it will be closed once a name is gone.
    """

    name = "descriptors"
    code = "PSA604"

    def __init__(
        self,
        taps: Taps,
        stack: Stack,
        *,
        is_project: Callable[[ModuleType], bool],
        relative: Callable[[str], str] = str,
        whoever_holds: bool = False,
    ) -> None:
        self._whoever_holds = whoever_holds
        self._folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
        self.off = "" if sys.platform != "win32" and os.path.isdir(self._folder) else "not on this platform"
        self._relative = relative
        self._holders = Holders(is_project)
        self._held: frozenset[int] | None = None
        self._known: dict[int, _Open] = {}
        self._lowest = -1
        self._count = -1
        self._counts = not self.off and _is_counting(self._folder)
        self._has_looked = False
        self._writes = Writes(taps, stack)
        if not self.off:
            self._writes.listen(socket.socket, "listen", _number)

    # --- looking

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites,)

    def look(self) -> Sequence[Change]:
        """What began to listen; the others may have been opened long before, and wait for a closer look."""
        if not self._writes.sites or not self._has_looked:
            return ()
        changes = []
        for number, site in self._writes.taken().items():
            target = _target(self._folder, number) if type(number) is int else ""
            found = _Open(number, target, self._subject(number, target)) if type(number) is int and target else None
            if found is not None and found != self._known.get(found.number) and found.subject.startswith(_LISTENING):
                self._known[found.number] = found
                changes.append(Change(found.subject, ABSENT, _OPEN, site, key=found.key))
        return changes

    def look_closely(self) -> Sequence[Change]:
        """By the lowest free number, and by how many there are: that also sees what hides behind a hole."""
        self._held = None
        lowest = _lowest_free()
        if lowest == self._lowest and self._counts and _size(self._folder) == self._count:
            return ()
        self._lowest = lowest
        return self._listed(self._writes.taken())

    def _listed(self, sites: Mapping[Hashable, Site | None]) -> Sequence[Change]:
        targets = self._targets()
        if targets is None:
            return ()
        changes = []
        for number, known in list(self._known.items()):
            if targets.get(number) != known.target:
                del self._known[number]
                if known.subject:
                    changes.append(Change(known.subject, _OPEN, ABSENT, key=known.key))
        for number, target in targets.items():
            if number not in self._known:
                found = self._known[number] = _Open(number, target, self._subject(number, target))
                if found.subject:
                    site = sites.get(number) if found.subject.startswith(_LISTENING) else None
                    changes.append(Change(found.subject, ABSENT, _OPEN, site, key=found.key))
        self._count = _size(self._folder)
        has_looked, self._has_looked = self._has_looked, True
        return changes if has_looked else ()

    def _targets(self) -> dict[int, str] | None:
        try:
            numbers = [int(name) for name in real.listdir(self._folder) if name.isdecimal() and name not in _STANDARD]
        except OSError:  # there is none left to list with
            return None
        found = {number: _target(self._folder, number) for number in numbers}
        return {number: target for number, target in found.items() if target}

    def _subject(self, number: int, target: str) -> str:
        if not self._has_looked:
            return ""
        if target.startswith("socket:["):
            return self._socket(number)
        if target.startswith(("/dev/", "/proc/", "/sys/", "/memfd:")) or not target.startswith("/"):
            return ""
        with suppress(OSError):
            if stat.S_ISREG(_fstat(number).st_mode):
                return self._named(target)
        return ""

    def _named(self, path: str) -> str:
        relative = self._relative(path)
        is_outside = relative.startswith(("..", "/"))
        return (is_outside and in_the_temporary_folder(path)) or relative

    def _socket(self, number: int) -> str:
        module = real.modules.get("_socket")
        if module is None:
            return ""
        with suppress(OSError):
            copy = module.socket(fileno=_dup(number))
            try:
                return _said_of(copy, module, self._named)
            finally:
                copy.close()
        return ""

    # --- before a claim

    def settle(self) -> None: ...

    def is_lasting(self, change: Change) -> bool:
        """Whether it is open, and somebody of the project or nobody at all holds it."""
        found = next((one for one in self._known.values() if one.key == change.key), None)
        if found is None or _target(self._folder, found.number) != found.target:
            return False
        if self._whoever_holds or found.subject.startswith(_LISTENING):
            return True
        if self._held is None:
            self._held = self._holders.of_the_project()
        is_kept = found.number in self._held or (found.subject != _SOCKET and self._is_a_mere_number(found))
        return is_kept and _target(self._folder, found.number) == found.target  # a thread may have closed it meanwhile

    def _is_a_mere_number(self, found: _Open) -> bool:
        """Whether no object will ever close it: what `os.open` and `tempfile.mkstemp` return; not a database's file."""
        held = self._holders.of_anybody()
        if held is None or found.number in held or _is_mapped(found.target) or _is_beside_a_database(found.target):
            return False
        with suppress(OSError):
            start = _pread(found.number, 16, 0) if _pread is not None else b""
            return not start.startswith(_DATABASES)
        return True  # opened for writing only

    # --- words

    def said(self, change: Change) -> str:
        return "open" if change.after == _OPEN else "closed"

    def fix(self, change: Change) -> str:
        if change.subject == _SOCKET or change.subject.startswith(_LISTENING):
            return "use it in a with block, or close it in a finally or after the fixture's yield"
        return "open it in a with block, or close it in a finally or after the fixture's yield"

    def stop(self) -> None:
        self._known.clear()


# --- what the system knows


def _number(args: tuple[Any, ...], kwargs: object, result: object) -> int:
    """Of the socket whose method was called."""
    number: int = args[0].fileno()
    return number


def _lowest_free() -> int:
    """The number that the next descriptor will get."""
    for standard in (0, 1, 2):
        try:
            number = _dup(standard)
        except OSError:  # it is closed, or there is none left
            continue
        _close(number)
        return number
    return -1


def _size(folder: str) -> int:
    try:
        return real.stat(folder).st_size
    except OSError:
        return -1


def _is_counting(folder: str) -> bool:
    """Whether the folder's size is the number of what is in it: on Linux since 6.2."""
    before = _size(folder)
    number = _dup(2) if _lowest_free() >= 0 else -1
    if number < 0:
        return False
    try:
        return _size(folder) == before + 1
    finally:
        _close(number)


def _target(folder: str, number: int) -> str:
    """What a descriptor leads to, the same when the file is removed meanwhile; empty once it is closed."""
    try:
        if folder.startswith("/proc/") and real.readlink is not None:
            return real.readlink(f"{folder}/{number}").removesuffix(_REMOVED)
        found = _fstat(number)
        if stat.S_ISSOCK(found.st_mode):
            return f"socket:[{found.st_ino}]"
        return _path(number) if stat.S_ISREG(found.st_mode) else f"other:[{found.st_mode}]"
    except OSError:
        return ""


def _path(number: int) -> str:
    """The path of a file by its descriptor, where there is no /proc."""
    if sys.platform == "win32":
        return ""
    import fcntl

    command = getattr(fcntl, "F_GETPATH", None)  # on macOS
    path = fcntl.fcntl(number, command, bytes(1024)) if command is not None else b""
    return path.rstrip(b"\0").decode("utf-8", "replace") or f"file:[{_fstat(number).st_ino}]"


def _said_of(copy: Any, module: Any, named: Callable[[str], str]) -> str:
    """A listening socket with its address, a connected one; nothing for pairs and what is neither."""
    address = copy.getsockname()
    is_local = copy.family not in (module.AF_INET, module.AF_INET6)
    if is_local and (type(address) is not str or not address):
        return ""
    if copy.getsockopt(module.SOL_SOCKET, module.SO_ACCEPTCONN):
        if is_local:
            return f"{_LISTENING}{named(address)}"
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{_LISTENING}{host}:{address[1]}"
    copy.getpeername()  # raises for one that is not connected
    return "" if is_local else _SOCKET


def _is_mapped(path: str) -> bool:
    """Whether the file is mapped into memory: the map keeps a descriptor of its own."""
    with suppress(OSError), _read("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        return any(line.rstrip("\n").removesuffix(_REMOVED).endswith(path) for line in maps)
    return False


def _is_beside_a_database(path: str) -> bool:
    return any(path.endswith(end) and real.is_there(path.removesuffix(end)) for end in _BESIDE_A_DATABASE)
