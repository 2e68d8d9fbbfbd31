"""Objects of certain classes that the project's modules hold, such as its applications: they outlive every test.

The modules are gone through only when there are more or fewer of them than before, and then only the new ones. Nothing
is watched, and nothing imported, before the framework is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import is_module, names_of
from pytest_secaudit.watch import real

_MAX_OBJECTS = 50
_FUNCTIONS = (FunctionType, BuiltinFunctionType)
#: What module globals nearly always are.
_ORDINARY = frozenset(
    (*_FUNCTIONS, ModuleType, type, bool, bytes, dict, float, frozenset, int, list, set, str, tuple, type(None))
)
_open = real.own(io.open)


@lean
@dataclass(frozen=True, slots=True)
class Shared:
    """A place where such an object is held.

    Attributes:
        path: the full name of the place: ``shop.main.app``.
        space: the namespace of the module, and the name in it.
        is_tests_own: the module is a test module, conftest or test helper.
    """

    path: str
    space: Mapping[str, object]
    name: str
    is_tests_own: bool

    @property
    def value(self) -> object:
        """What is held there now."""
        return self.space.get(self.name)


class SharedObjects:
    """Finds them.

    Args:
        classes: the modules and names of the classes.
        is_project: whether a module is the project's own, tests and product alike.
        test_path: the path of a test-side file as reports name it; empty for any other file.

    Attributes:
        found: where they are held, one place for each; it is remembered while something else stands there.
    """

    def __init__(
        self,
        classes: tuple[tuple[str, str], ...],
        is_project: Callable[[ModuleType], bool],
        test_path: Callable[[str], str],
    ) -> None:
        self._wanted = classes
        self._is_project = is_project
        self._test_path = test_path
        self._classes: tuple[type, ...] = ()
        self._last: object = None
        self.found: list[Shared] = []

    def refresh(self) -> None:
        """There are other modules than before: look for what is new."""
        classes = tuple(self._loaded())
        if classes != self._classes:
            self._classes, self._last = classes, None
        if not classes or len(self.found) >= _MAX_OBJECTS:
            return
        known = {id(shared.value) for shared in self.found}
        candidates: dict[int, list[tuple[ModuleType, str]]] = {}
        for module in self._new_modules():
            for name, value in list(names_of(module).items()):
                if type(value) not in _ORDINARY and type(name) is str and self.is_one(value) and id(value) not in known:
                    candidates.setdefault(id(value), []).append((module, name))
        self.found += [self._home(places) for places in candidates.values()]

    def is_one(self, value: object) -> bool:
        """Whether it is of one of the classes; `issubclass` would ask theirs, which may keep books."""
        return any(type.__subclasscheck__(cls, type(value)) for cls in self._classes)

    def _loaded(self) -> Iterator[type]:
        for module, name in self._wanted:
            cls = names_of(real.modules.get(module)).get(name)
            if issubclass(type(cls), type):
                yield cls  # type: ignore[misc]

    def _new_modules(self) -> Iterator[ModuleType]:
        last, self._last = self._last, next(reversed(real.modules), None)
        for name in list(reversed(real.modules)):
            if name is last and last is not None:
                return
            module = real.modules.get(name)
            if module is not None and is_module(module) and self._is_project(module):
                yield module

    # --- which of several modules is its home

    def _home(self, places: list[tuple[ModuleType, str]]) -> Shared:
        """The module that made it, as far as that can be told; the others import it from there."""
        for choose in (self._says_so, self._is_product, self._makes, self._assigns):
            chosen = [place for place in places if choose(*place)] if len(places) > 1 else places
            places = chosen or places
        shared = [
            Shared(f"{self._path(module)}.{name}", names_of(module), name, not self._is_product(module, name))
            for module, name in places
        ]
        return min(shared, key=lambda one: (one.path.count("."), one.path))

    def _says_so(self, module: ModuleType, name: str) -> bool:
        """A Flask application knows."""
        said = names_of(names_of(module).get(name)).get("import_name")
        return type(said) is str and said == names_of(module).get("__name__")

    def _is_product(self, module: ModuleType, _name: str) -> bool:
        return not self._test_path(_file(module))

    def _makes(self, module: ModuleType, name: str) -> bool:
        """``app = FastAPI()``, not ``application = app``."""
        return _stands_in(module, rf"^{re.escape(name)}\s*(?::[^=\n]+)?=\s*[\w.]+\(")

    def _assigns(self, module: ModuleType, name: str) -> bool:
        return _stands_in(module, rf"^{re.escape(name)}\s*(?::[^=\n]+)?=[^=]")

    def _path(self, module: ModuleType) -> str:
        """As imports name it; a test-side file, which need not be importable, by its path."""
        path = self._test_path(_file(module))
        if path:
            return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return str(names_of(module).get("__name__"))


def _file(module: ModuleType) -> str:
    file = names_of(module).get("__file__")
    return file if type(file) is str else ""


def _stands_in(module: ModuleType, pattern: str) -> bool:
    """Whether a line of its source is like this."""
    try:
        with _open(_file(module), encoding="utf-8", errors="replace") as source:
            return re.search(pattern, source.read(), re.MULTILINE) is not None
    except (OSError, ValueError):
        return False
