"""Files of the project that tests made, changed or removed.

Nobody looks after each test: a file says itself when it was last written, and a folder when something was added to it
or taken away. Who was on stage then is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pytest_secaudit.redact import clean
from pytest_secaudit.watch.disk.listing import MOST, File, differences, listing, open_inodes
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps


class Files:
    """Watches the files below the rootdir.

    Args:
        root: the rootdir.
        is_ignored: whether a path is pytest's own or a report's.
    """

    name = "files"
    code = "PSA605"

    def __init__(self, taps: Taps, stack: Stack, *, root: str, is_ignored: Callable[[str], bool]) -> None:  # noqa: ARG002
        self.off = ""
        self._root = root
        self._is_ignored = is_ignored
        self._seen: Mapping[str, File] | None = None

    #: Nothing wakes it.
    stirred = ()

    def look(self) -> Iterable[Change]:
        """Never between two stages."""
        return ()

    def begin(self) -> None:
        """The test modules are imported: what is there now is the project's."""
        self._seen, is_all = listing(self._root, self._is_ignored)
        if not is_all:
            self.off = f"there are more than {MOST:,} files below the rootdir"

    def look_late(self) -> list[tuple[int, Change]]:
        """What is different, and when (in nanoseconds) that was done."""
        if self._seen is None or self.off:
            return []
        now, _ = listing(self._root, self._is_ignored)
        before, self._seen = self._seen, now
        different = differences(before, now, open_inodes())
        found = [(when, Change(clean(path), old, new)) for when, path, old, new in different]
        return sorted(found, key=lambda one: one[0])

    # --- telling

    def said(self, change: Change) -> str:
        if change.before == ABSENT:
            return f"behind, {'a folder' if change.after == 'folder' else 'a file'}"
        return "removed" if change.after == ABSENT else "changed"

    def level(self, change: Change) -> str:
        """A file of the project itself is another one for the next run."""
        is_sure = change.after == ABSENT or change.site is not None
        return "defect" if change.before != ABSENT and is_sure else ""

    def fix(self, change: Change) -> str:
        name = change.subject.rpartition("/")[2]
        return f"write below tmp_path, not to {name}" if change.before == ABSENT else f"work on a copy of {name}"

    def writing_lines(self, text: str, first: int, change: Change) -> set[int]:
        """The lines that name the file."""
        from pytest_secaudit.watch.writing_lines import lines_with  # loaded with the first claim

        return lines_with(text, first, change.subject.rpartition("/")[2])

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Forget what was there."""
        self._seen = None
