"""Which files are the tests' own: test modules, conftests and test helpers under the rootdir."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

from pytest_secaudit.live import names_of

_FOLDERS = frozenset(("t", "test", "tests", "testing", "unittests", "functional_tests", "integration_tests"))


class TestSide:
    """Tells the files of tests from those of the product, by what is collected and by their names."""

    __test__ = False

    def __init__(self, root: Path) -> None:
        self._roots = tuple({str(root) + os.sep, os.path.realpath(root) + os.sep})
        self._installed = _is_installed(str(root))
        self._collected: set[str] = set()
        #: Where the rootdir is a folder of installed packages: those that have tests in this run.
        self._packages: set[str] = set()

    def learn(self, path: str) -> None:
        """A test module or conftest is imported from there."""
        self._collected.add(path)
        for root in self._roots:
            if self._installed and path.startswith(root):
                self._packages.add(_package(path[len(root) :]))

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
            or path in self._collected
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
                return None if self._is_anothers(inside) else inside
        return None

    def _is_anothers(self, inside: str) -> bool:
        if not self._installed:
            return _is_installed(inside)
        return bool(self._packages) and _package(inside) not in self._packages


def _package(inside: str) -> str:
    return inside.split(os.sep, maxsplit=1)[0].removesuffix(".py")


def _is_installed(path: str) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(path.split(os.sep))
