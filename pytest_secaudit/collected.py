"""What pytest's collection knows: which files matter, what is in effect for each test."""

from __future__ import annotations

import inspect
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pytest

from pytest_secaudit.lean import lean
from pytest_secaudit.model import NotAudited
from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import bases_of, home_of_class, is_module, names_of

_INSTALLED = frozenset(("site-packages", "dist-packages"))


@lean
@dataclass(frozen=True, slots=True)
class File:
    """A file to read, with the module it became."""

    path: Path
    relative: str
    module: ModuleType | None


@dataclass(slots=True)
class Group:
    """Items that were collected one after the other and stand on the same files.

    Attributes:
        parent: their collector.
        names: the names of their fixtures.
        home: the name of the module that their functions are from.
        paths: the relative paths that they stand on, that of the file they were collected from first.
    """

    parent: pytest.Collector | None
    names: list[str]
    home: str | None
    paths: tuple[str, ...]
    items: list[pytest.Function] = field(default_factory=list)


@dataclass(slots=True)
class Collected:
    """The files behind the items of one process.

    Attributes:
        files: relative path -> file, in the order of collection.
        companions: relative path -> the relative paths that its tests stand on, all together.
        groups: relative path -> the items whose test functions stand there.
        not_audited: what cannot be read, and why.
    """

    files: dict[str, File] = field(default_factory=dict)
    companions: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    groups: dict[str, list[Group]] = field(default_factory=lambda: defaultdict(list))
    not_audited: set[NotAudited] = field(default_factory=set)

    def fixtures_in_effect(self, path: str) -> dict[str, set[str]]:
        """Qualified name of a test function -> the names of its fixtures."""
        found: dict[str, set[str]] = defaultdict(set)
        for group in self.groups.get(path, ()):
            for item in group.items:
                found[qualname_of(item)].update(group.names)
        return found

    def paths_by_test(self) -> dict[str, tuple[str, ...]]:
        """Test id -> the relative paths that its test stands on."""
        groups = (group for groups in self.groups.values() for group in groups)
        return {item.nodeid: group.paths for group in groups for item in group.items}


class Collector:
    """Finds the files behind items; remembers what it found per folder, class and fixture."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = config.rootpath
        self._real_root = Path(os.path.realpath(config.rootpath))
        self._manager = config.pluginmanager
        self._loaded_conftests: dict[str, ModuleType] = {}
        self._conftests: dict[Path, tuple[str, ...]] = {}
        self._bases: dict[int, tuple[str, ...]] = {}
        self._fixture_files: dict[int, str | None] = {}
        self._module_files: dict[str, str | None] = {}
        self._relatives: dict[str, str] = {}
        self._real_files: dict[str, str] = {}
        self._known_files: dict[str, str] = {}
        self._wrapped: tuple[object, str | None] = (None, None)
        self._group: Group | None = None
        self._around: dict[tuple[str, type | None, tuple[str, ...]], dict[str, None]] = {}
        self._own_packages: set[str] = set()
        self.found = Collected()

    def add(self, items: Iterable[pytest.Item]) -> None:
        """Take these items in."""
        items = list(items)
        self._loaded_conftests.update(_conftest_modules(self._manager))
        if _INSTALLED.intersection(self._real_root.parts):
            self._own_packages.update(filter(None, map(_package_of, items)))
        for item in items:
            try:
                if isinstance(item, pytest.Function):
                    self._add(item)
                else:
                    self._set_aside(item)
            except Exception as error:  # an item of a kind that nobody has thought of: the others go on
                reason = clean(f"the audit failed here: {type(error).__name__}: {error}")
                self.found.not_audited.add(NotAudited(clean(item.nodeid.partition("::")[0]), reason))

    def _set_aside(self, item: pytest.Item) -> None:
        kind = "doctests" if "doctest" in type(item).__name__.lower() else f"items of type {type(item).__name__}"
        self.found.not_audited.add(NotAudited(self.relative(str(item.path)), clean(f"{kind} are not read")))

    def _add(self, item: pytest.Function) -> None:
        """Asked for each test of a suite: what neighbours share is looked for once."""
        home = self._home_of(item)
        group = self._group
        if group is None or item.parent is not group.parent or item.fixturenames != group.names or home != group.home:
            group = self._group = self._new_group(item, home)
        group.items.append(item)

    def _home_of(self, item: pytest.Function) -> str | None:
        """The name of the module that the test function says it is from."""
        function = item.obj
        if type(function) is MethodType:
            function = function.__func__
        if type(function) is FunctionType and not hasattr(function, "__wrapped__"):
            home = function.__module__
            return home if type(home) is str else None
        if self._wrapped[0] is not function:  # one of many parameters is looked at, not each
            self._wrapped = (function, text_attribute(_unwrapped(item.function), "__module__"))
        return self._wrapped[1]

    def _new_group(self, item: pytest.Function, home: str | None) -> Group:
        own = self._file(str(item.path), item.module)
        around = (own, item.cls, tuple(item.fixturenames))
        paths = self._around.get(around)
        if paths is None:
            found = [own, *self._conftests_above(item.path)]
            if item.cls is not None:
                found += self._base_files(item.cls)
            paths = self._around[around] = dict.fromkeys((*found, *self._fixture_modules(item)))
        path = (self._module_file(home) if home else None) or own
        if path not in paths:
            paths = {**paths, path: None}
        for file in {own, path}:
            self.found.companions[file].update(paths)
        group = Group(item.parent, list(item.fixturenames), home, tuple(paths))
        self.found.groups[path].append(group)
        return group

    def _file(self, path: str, module: ModuleType | None) -> str:
        known = self._known_files.get(path)  # asked for each item
        if known is None:
            known = self._new_file(path, module)
            if module is not None:
                self._known_files[path] = known
        return known

    def _new_file(self, path: str, module: ModuleType | None) -> str:
        relative = self.relative(path)
        first = self._real_files.setdefault(_real(path), relative)
        if first != relative:  # a link: read once, under the name that was met first
            self.found.not_audited.add(NotAudited(relative, f"is the same file as {first}"))
            return first
        known = self.found.files.get(relative)
        if known is None or known.module is None:
            self.found.files[relative] = File(Path(path), relative, module)
        return relative

    def relative(self, path: str) -> str:
        """The path relative to the rootdir, with ``/``."""
        known = self._relatives.get(path)
        if known is None:
            known = self._relatives[path] = clean(relative_to_root(path, self._root, self._real_root))
        return known

    # --- the files around a test

    def _conftests_above(self, path: Path) -> tuple[str, ...]:
        folder = path.parent
        known = self._conftests.get(folder)
        if known is None:
            known = self._conftests[folder] = tuple(self._find_conftests(folder))
        return known

    def _find_conftests(self, folder: Path) -> Iterator[str]:
        for above in (folder, *folder.parents):
            conftest = str(above / "conftest.py")
            if conftest in self._loaded_conftests:
                yield self._file(conftest, self._loaded_conftests[conftest])
            if above == self._root:
                return

    def _base_files(self, cls: type) -> tuple[str, ...]:
        known = self._bases.get(id(cls))  # classes of items live as long as the session
        if known is None:
            names = [home_of_class(base) for base in bases_of(cls)[:-1]]
            files = (self._module_file(name) for name in dict.fromkeys(names) if name)
            known = self._bases[id(cls)] = tuple(file for file in files if file)
        return known

    def _module_file(self, name: str) -> str | None:
        if name not in self._module_files:
            module = sys.modules.get(name)
            path = names_of(module).get("__file__")
            ours = isinstance(path, str) and path.endswith(".py") and self._is_ours(path)
            self._module_files[name] = self._file(path, module) if ours and isinstance(path, str) else None
        return self._module_files[name]

    def _fixture_modules(self, item: pytest.Function) -> Iterator[str]:
        for definition in chain.from_iterable(definitions_of(item).values()):
            key = id(definition)  # definitions live as long as the session
            if key not in self._fixture_files:
                self._fixture_files[key] = self._code_file(definition.func)
            file = self._fixture_files[key]
            if file:
                yield file

    def _code_file(self, function: object) -> str | None:
        name = text_attribute(function, "__module__")
        return self._module_file(name) if name else None

    def _is_ours(self, path: str) -> bool:
        """Under the rootdir, and not an installed package that merely lives there (a virtualenv)."""
        real = Path(_real(path))
        if not real.is_relative_to(self._real_root):
            return False
        inside = real.relative_to(self._real_root).parts
        if _INSTALLED.intersection(inside):
            return False
        if _INSTALLED.intersection(self._real_root.parts):
            return inside[0].removesuffix(".py") in self._own_packages
        return True


def definitions_of(item: pytest.Item) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]]:
    """The fixtures that a test stands on: name -> those of that name, the one in effect last."""
    # pytest has no public way from an item to its fixture definitions before they are set up.
    # Without this private attribute, fixtures outside conftest files are not read: less, not wrong.
    info = getattr(item, "_fixtureinfo", None)
    found: Mapping[str, Sequence[pytest.FixtureDef[Any]]] = getattr(info, "name2fixturedefs", {})
    return found


def _conftest_modules(manager: pytest.PytestPluginManager) -> Iterator[tuple[str, ModuleType]]:
    """The conftests loaded by now, by the path that pytest registers them under."""
    for name, plugin in manager.list_name_plugin():
        if is_module(plugin) and os.path.basename(name) == "conftest.py":
            yield name, plugin  # type: ignore[misc]


def _package_of(item: pytest.Item) -> str:
    """The top-level package that a test function is in."""
    try:
        name = names_of(item.module).get("__name__") if isinstance(item, pytest.Function) else None
    except Exception:  # the item will be set aside when it is looked at
        return ""
    return name.partition(".")[0] if isinstance(name, str) else ""


def qualname_of(item: pytest.Function) -> str:
    """The qualified name of a test function."""
    return text_attribute(_unwrapped(item.function), "__qualname__") or item.originalname


def text_attribute(found: object, name: str) -> str | None:
    """An attribute that should be text, of a stranger's object."""
    try:
        value = getattr(found, name, None)
    except Exception:  # a callable object with a mind of its own
        return None
    return value if isinstance(value, str) else None


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # a loop of links, a null byte
        return path


def _unwrapped(function: object) -> object:
    try:
        return inspect.unwrap(function)  # type: ignore[arg-type]
    except Exception:  # a cycle, or an object with a mind of its own
        return function


def relative_to_root(path: str, root: Path, real_root: Path) -> str:
    """The path from the rootdir, with ``/``; ``<site-packages>/...`` for what is installed."""
    for base in (root, real_root):  # the rootdir may be named by a link
        inside = path.removeprefix(f"{base}{os.sep}")
        if inside != path and os.path.normpath(inside) == inside:  # what pathlib says, a hundred times quicker
            return _installed_in(Path(inside)) or inside.replace(os.sep, "/")
        try:
            below = Path(path).relative_to(base)
        except ValueError:
            continue
        return _installed_in(below) or below.as_posix()
    installed = _installed_in(Path(path))
    if installed:
        return installed
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return Path(path).as_posix()


def _installed_in(path: Path) -> str:
    """The name of an installed file, also of a virtual environment below the rootdir; empty for any other."""
    parts = path.parts
    marker = next((marker for marker in ("site-packages", "dist-packages") if marker in parts), "")
    return "/".join(("<site-packages>", *parts[parts.index(marker) + 1 :])) if marker else ""
