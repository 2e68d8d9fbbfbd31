"""Which files are the tests' own: test modules, conftests and test helpers under the rootdir."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pytest_secaudit.strangers import names_of

#: What lies beside the product in a checkout, and may be installed by others under the same name.
_NO_PRODUCT = frozenset(
    "benchmarks build conftest docs examples fabfile noxfile scripts setup t tasks test tests testing tools".split()
)
#: Where the packages of a checkout usually lie.
_HOMES = ("", "src", "lib", "python")
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
        #: What is installed and yet the project: its packages are in the rootdir, or its tests are collected.
        self._elsewhere = set() if self._installed else set(_own_packages(root))
        self._collected_elsewhere: set[str] = set()

    def learn(self, path: str) -> None:
        """A test module or conftest is imported from there."""
        self._collected.add(path)
        for root in self._roots:
            if self._installed and path.startswith(root):
                self._packages.add(_package(path[len(root) :]))
        installed = None if path.startswith(self._roots) else _below_installed(path)
        if installed is not None:  # `pytest --pyargs shop`
            self._elsewhere.add(_package(installed))
            self._collected_elsewhere.add(_package(installed))

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
        """Whether the module's file is under the rootdir, or it is installed from there; tests and product alike."""
        path = names_of(module).get("__file__")
        return isinstance(path, str) and self._is_projects(path)

    def is_product(self, path: str) -> bool:
        """Whether a file is the project's, and not its tests'."""
        return os.path.isabs(path) and self._is_projects(path) and not self(path)

    def _is_projects(self, path: str) -> bool:
        if self._inside(path) is not None:
            return True
        installed = _below_installed(path) if self._elsewhere else None
        return installed is not None and _package(installed) in self._elsewhere

    def at_home(self, path: str) -> str:
        """The file of the checkout that an installed one was made of; the path itself if there is none like it."""
        inside = _below_installed(path) if self._elsewhere else None
        if inside is None or _package(inside) not in self._elsewhere:
            return path
        homes = (os.path.join(self._roots[0], folder, inside) for folder in _HOMES)
        return next((home for home in homes if _are_alike(home, path)), path)

    def is_own(self, path: str) -> bool:
        """Whether a file is the project's: anywhere under the rootdir."""
        return path.startswith(self._roots)

    def _inside(self, path: str) -> str | None:
        """The path below the rootdir; None for what is elsewhere, or an installed package that lives there."""
        for root in self._roots:
            if path.startswith(root):
                inside = path[len(root) :]
                return None if self._is_anothers(inside) else inside
        installed = _below_installed(path) if self._collected_elsewhere else None
        return installed if installed is not None and _package(installed) in self._collected_elsewhere else None

    def _is_anothers(self, inside: str) -> bool:
        if not self._installed:
            return _is_installed(inside)
        return bool(self._packages) and _package(inside) not in self._packages


def _are_alike(one: str, other: str) -> bool:
    import filecmp  # few suites are of what is installed from a checkout

    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _own_packages(root: Path) -> Iterator[str]:
    """The packages and modules of a checkout, as far as they lie where they usually do."""
    for folder in map(root.joinpath, _HOMES):
        with contextlib.suppress(OSError):
            for entry in folder.iterdir():
                name = entry.name.removesuffix(".py")
                is_module = entry.name != name or (entry / "__init__.py").is_file()
                if is_module and name.isidentifier() and name not in _NO_PRODUCT and not name.startswith("test_"):
                    yield name


def _below_installed(path: str) -> str | None:
    """The path below the innermost folder of installed packages; None for what is not in one."""
    parts = path.split(os.sep)
    found = [number for number, part in enumerate(parts) if part in ("site-packages", "dist-packages")]
    return os.sep.join(parts[found[-1] + 1 :]) if found else None


def _package(inside: str) -> str:
    return inside.split(os.sep, maxsplit=1)[0].removesuffix(".py")


def _is_installed(path: str) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(path.split(os.sep))
