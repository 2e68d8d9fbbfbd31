"""Which files are the tests' own: test modules, conftests and test helpers under the rootdir."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

from pytest_secaudit.collected import Collector
from pytest_secaudit.live import names_of

_FOLDERS = frozenset(("t", "test", "tests", "testing", "unittests", "functional_tests", "integration_tests"))


class TestSide:
    """Tells the files of tests from those of the product, by what was collected and by their names."""

    __test__ = False

    def __init__(self, root: Path, collector: Collector) -> None:
        self._roots = tuple({str(root) + os.sep, os.path.realpath(root) + os.sep})
        self._installed = _is_installed(str(root))
        self._collector = collector

    def __call__(self, path: str) -> bool:
        inside = self._inside(path)
        if inside is None:
            return False
        *folders, name = inside.split(os.sep)
        return (
            name == "conftest.py"
            or name.startswith("test_")
            or name.endswith("_test.py")
            or not _FOLDERS.isdisjoint(folders)
            or self._collector.relative(path) in self._collector.found.files
        )

    def is_project(self, module: ModuleType) -> bool:
        """Whether the module's file is under the rootdir, tests and product alike."""
        path = names_of(module).get("__file__")
        return isinstance(path, str) and self._inside(path) is not None

    def is_own(self, path: str) -> bool:
        """Whether a file is the project's: anywhere under the rootdir."""
        return path.startswith(self._roots)

    def _inside(self, path: str) -> str | None:
        """The path below the rootdir; None for what is elsewhere, or an installed package that lives there."""
        for root in self._roots:
            if path.startswith(root):
                inside = path[len(root) :]
                return inside if self._installed or not _is_installed(inside) else None
        return None


def _is_installed(path: str) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(path.split(os.sep))
