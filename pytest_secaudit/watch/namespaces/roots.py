"""Which modules are looked into, how deep, and what they are called."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

from pytest_secaudit.strangers import home_of_class, is_class, is_module, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.namespaces.kinds import PLAIN, Kind, Kinds
from pytest_secaudit.watch.namespaces.noise import is_noise
from pytest_secaudit.watch.namespaces.tree import Node, Rules, Tree, not_lent
from pytest_secaudit.watch.namespaces.wire import Wire

#: What is two steps below a module of the product shows what tests leave there; their own data are nested deeper.
OF_THE_PRODUCT: Final = 2
OF_TESTS: Final = 4

#: What modules import from each other, and is changed in place.
_SHARED: Final = frozenset((Kind.DICT, Kind.ROW, Kind.SET, Kind.INSTANCE, Kind.MOCK))
_NEVER_SHARED: Final = PLAIN | {BuiltinFunctionType, FunctionType, ModuleType, type}
#: How many files are read to tell who made what several modules hold.
_MOST_READ: Final = 300

#: Where mocks come from: what is set on their classes is shared by all tests.
MOCKS: Final = ("unittest.mock", "mock")
#: So many modules of others are looked at, those first that most modules know.
_MOST_OUTSIDE: Final = 40
#: These change all the time, have a watcher of their own, or are the audit's.
_NOT_OUTSIDE: Final = frozenset(("__main__", "_pytest", "builtins", "pytest", "pytest_secaudit", "sys"))

_open = real.own(io.open)


#: A name of a module, or of a class of it and one in there.
Names = tuple[str, ...]


class Root:
    """A module that is looked into.

    Attributes:
        name: as reports name it: of a test-side module, which need not be importable, by its path.
        path: the file of a test-side module as reports name it; else empty.
        module: the module.
        rules: what is looked into.
        tree: what was in it when it was last looked at.
        is_outside: it is neither the project's nor its tests', and only its own names are compared.
        has_died: something that was in there is no more.
    """

    __slots__ = ("_key", "_wire", "has_died", "is_outside", "module", "name", "path", "rules", "tree")
    rules: Rules
    tree: Tree
    _wire: Wire

    def __init__(self, module: ModuleType, key: str, path: str, *, is_outside: bool = False) -> None:
        self.module = module
        self.is_outside = is_outside
        self.path = path
        self.name = _name_of_path(path) or key
        self._key = key
        self.has_died = False

    def take(
        self,
        kinds: Kinds,
        is_anothers: Callable[[Root, object], bool],
        at_home: Callable[[Root, int], Node | None] = not_lent,
    ) -> None:
        """It is compared from now on with what is in it now."""
        home = names_of(self.module).get("__name__")
        depth = OF_TESTS if self.path else OF_THE_PRODUCT
        if self.is_outside:
            depth = 1 if self.name in MOCKS else 0
        home = home if type(home) is str else self._key
        self.rules = Rules(kinds, home, depth, is_noise, self, is_anothers, at_home)
        self.rules.has_mocks = bool(self.path)
        self.take_again()

    def take_again(self) -> None:
        """The same, after somebody has looked at what has changed."""
        self.has_died = False
        self.tree = Tree(self.module, self.rules, _died, self)
        self._wire = Wire(self.tree.spaces, self.tree.wanted)

    def is_still(self) -> bool:
        """Whether nothing can have changed."""
        return not self.has_died and self._wire.is_still()

    @property
    def too_large(self) -> list[str]:
        """What is not looked into for its size, as reports name it."""
        return [".".join((self.name, *map(str, way))) for way in self.tree.too_large]

    @property
    def is_loaded(self) -> bool:
        """Whether it is in use: pytest takes one conftest out of ``sys.modules`` to load the next."""
        return real.modules.get(self._key) is self.module or self.path.endswith("conftest.py")

    def value(self, names: Names) -> object:
        """What stands under a name of the module, or under one of a class of it."""
        found: object = self.module
        for name in names:
            found = names_of(found).get(name)
        return found

    def assigns(self, name: str, *, in_class: bool = False) -> bool:
        """Whether a line of its source makes what stands under this name: ``orders = {}``.

        Args:
            name: of the module, or of a class of it.
            in_class: the latter; ``orders = shop.Base.orders`` makes nothing.
        """
        start, end = (r"[ \t]+", rf"(?![ \t]*[\w.]+\.{re.escape(name)}[ \t]*(?:#|$))") if in_class else ("", "")
        try:
            with _open(_file(self.module), encoding="utf-8", errors="replace") as source:
                text = source.read()
        except (OSError, ValueError):
            return False
        return re.search(rf"^{start}{re.escape(name)}\s*(?::[^=\n]+)?=(?!=){end}", text, re.MULTILINE) is not None


def _died(ref: Any) -> None:
    ref.home.has_died = True


def _name_of_path(path: str) -> str:
    return path.removeprefix("<site-packages>/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


_HAS_DIED = attrgetter("has_died")


class Chunk:
    """Some modules with one wire through all of them."""

    def __init__(self, roots: Sequence[Root]) -> None:
        self.roots = roots
        self._wire: Wire | None = None

    def lay(self) -> None:
        """Anew, after somebody has looked at what has changed."""
        spaces: list[object] = []
        wanted: set[int] = set()
        for root in self.roots:
            spaces += root.tree.spaces
            wanted.update(root.tree.wanted)
        self._wire = Wire(spaces, wanted)

    def is_still(self) -> bool:
        """Whether nothing can have changed."""
        if self._wire is None or any(map(_HAS_DIED, self.roots)):
            return False
        return self._wire.is_still()


class _MockClasses(Kinds):
    """Of the classes where mocks come from, those of the mocks."""

    def is_own(self, cls: type) -> bool:
        return cls.__name__.endswith("Mock") and super().is_own(cls)


class Modules:
    """Finds the modules that are looked into.

    Args:
        is_project: whether a module is the project's own, tests and product alike.
        test_path: the path of a test-side file as reports name it; empty for any other file.
    """

    def __init__(self, is_project: Callable[[ModuleType], bool], test_path: Callable[[str], str]) -> None:
        self._is_project = is_project
        self._test_path = test_path
        self._known: dict[str, bool] = {}
        self._roots: dict[int, Root] = {}
        self._owners: dict[int, tuple[Root, Names]] = {}
        self._last: str | None = None
        self._may_read = _MOST_READ
        self._kinds = Kinds(self.is_own)
        self._mocks = _MockClasses(frozenset(MOCKS).__contains__)

    def is_own(self, name: str) -> bool:
        """Whether the module of this name is the project's."""
        known = self._known.get(name)
        if known is None:
            module = real.modules.get(name)
            if module is None:
                return False
            known = self._known[name] = is_module(module) and self._is_project(module)
        return known

    def is_of_tests(self, name: str) -> bool:
        """Whether the module of this name is on the tests' side."""
        module = real.modules.get(name)
        return module is not None and self.is_own(name) and bool(self._test_path(_file(module)))

    def root_of(self, module: object) -> Root | None:
        """The root of a module that is looked into."""
        root = self._roots.get(id(module))
        return root if root is not None and root.module is module else None

    def new(self) -> list[Root]:
        """Those that were loaded since the last time, as they are now."""
        roots = []
        for name, module in self._loaded():
            if is_module(module) and self.root_of(module) is None and self.is_own(name):
                root = self._roots[id(module)] = Root(module, name, self._test_path(_file(module)))
                roots.append(root)
        self._find_owners(roots)
        is_anothers, at_home = self._is_anothers, self._at_home  # each bound once
        for root in roots:
            root.take(self._kinds, is_anothers, at_home)
        return roots

    def outside(self) -> list[Root]:
        """Those that the project's modules know by name, the standard library's too, and the mocks."""
        names = [name for root in self._roots.values() for name in _modules_in(root.module)]
        wanted = [*MOCKS, *(name for name, _ in Counter(names).most_common(_MOST_OUTSIDE))]
        roots = []
        for name in wanted:
            module = real.modules.get(name)
            if module is not None and is_module(module) and self.root_of(module) is None and not self.is_own(name):
                root = self._roots[id(module)] = Root(module, name, "", is_outside=True)
                root.take(self._mocks if name in MOCKS else self._kinds, _is_nobodys)
                roots.append(root)
        return roots

    def forget(self, root: Root) -> None:
        """Nobody can import it any more."""
        self._roots.pop(id(root.module), None)

    def _loaded(self) -> Iterator[tuple[str, ModuleType]]:
        last, self._last = self._last, next(reversed(real.modules), None)
        names = list(takewhile(lambda name: name != last, reversed(list(real.modules))))
        for name in reversed(names):
            module = real.modules.get(name)
            if type(name) is str and module is not None:
                yield name, module

    # --- what several modules hold

    def _is_anothers(self, root: Root, value: object) -> bool:
        known = self._owners.get(id(value))
        if known is None:
            return False
        owner, names = known
        return owner is not root and owner.value(names) is value

    def _at_home(self, root: Root, number: int) -> Node | None:
        """What was in something that another module lent to this one."""
        home, names = self._owners.get(number, (root, ()))
        if home is root:
            return None
        node: Node | None = home.tree.root
        for name in names:
            node = None if node is None else node.below(name)
        return node

    def _find_owners(self, roots: Iterable[Root]) -> None:
        """Of what several modules or their classes hold, which is its home: the others have it from there."""
        holders: dict[int, list[tuple[Root, Names]]] = {}
        in_classes: dict[int, list[tuple[Root, Names]]] = {}
        for root in roots:
            for name, value in self._shared_in(root, root.module):
                holders.setdefault(id(value), []).append((root, (name,)))
            for of_class, cls in self._classes_of(root):
                for name, value in self._shared_in(root, cls):
                    in_classes.setdefault(id(value), []).append((root, (of_class, name)))
        for number, places in (in_classes | holders).items():
            self._owners[number] = places[0] if len(places) == 1 else self._home(places)

    def _classes_of(self, root: Root) -> Iterator[tuple[str, type]]:
        """The module's own classes."""
        home = names_of(root.module).get("__name__")
        for name, value in list(names_of(root.module).items()):
            if type(name) is str and is_class(value) and home_of_class(value) == home:
                yield name, value

    def _shared_in(self, root: Root, holder: object) -> Iterator[tuple[str, object]]:
        """What a module or class holds that others may hold, too."""
        for name, value in list(names_of(holder).items()):
            if type(value) in _NEVER_SHARED or type(name) is not str:
                continue
            if self._kinds.of(value) in _SHARED and not self._is_anothers(root, value):
                yield name, value

    def _home(self, places: list[tuple[Root, Names]]) -> tuple[Root, Names]:
        products = [place for place in places if not place[0].path] or places
        for root, names in products if len({root for root, _ in products}) > 1 else ():
            self._may_read -= 1
            if self._may_read >= 0 and root.assigns(names[-1], in_class=len(names) > 1):
                return root, names
        return products[0]


def _modules_in(module: ModuleType) -> Iterator[str]:
    for value in list(names_of(module).values()):
        name = names_of(value).get("__name__") if is_module(value) else None
        if type(name) is str and name.partition(".")[0] not in _NOT_OUTSIDE:
            yield name


def _is_nobodys(root: Root, value: object) -> bool:
    return False


def _file(module: ModuleType) -> str:
    file = names_of(module).get("__file__")
    return file if type(file) is str else ""
