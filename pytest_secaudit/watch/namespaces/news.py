"""What is told of a module that is not as it was: from the differences to the changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Final

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import bases_of, called, home_of, home_of_class, is_class, names_of
from pytest_secaudit.watch.lasting_paths import as_everywhere
from pytest_secaudit.watch.namespaces import telling
from pytest_secaudit.watch.namespaces.differences import Content, Difference, Way, differences
from pytest_secaudit.watch.namespaces.kinds import NAMED, Key, Kind, Mark
from pytest_secaudit.watch.namespaces.roots import MOCKS, Modules, Root
from pytest_secaudit.watch.namespaces.telling import Spot
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import original_of

#: With more keys changed at once than this it is the container that is named.
_KEYS_NAMED: Final = 3
_MOCKS: Final = frozenset(MOCKS)
#: Our own package: what it imports, and when, is nobody's change.
_OURS: Final = __name__.partition(".")[0]


class News:
    """Makes changes of what is different in modules, and says them."""

    code_of = staticmethod(telling.code_of)
    level_of = staticmethod(telling.level_of)
    is_harm_of = staticmethod(telling.is_harm_of)
    can_reach = staticmethod(telling.can_reach)
    writing_lines = staticmethod(telling.writing_lines)
    lines_of_one_of_several = staticmethod(telling.lines_of_one_of_several)
    mentions = staticmethod(telling.mentions)
    is_reset_by_set_up = staticmethod(telling.is_reset_by_set_up)
    said = staticmethod(telling.said)
    fix = staticmethod(telling.fix)

    def __init__(self, modules: Modules, relative: Callable[[str], str] = str) -> None:
        self._modules = modules
        self._relative = relative

    def of(self, root: Root) -> list[Change]:
        """What changed in a module since it was last taken; it is taken again."""
        found = list(differences(root.tree.root, root.module, root.rules)) if root.is_loaded else []
        root.take_again()
        return self._changes(root, found)

    def _changes(self, root: Root, found: Sequence[Difference]) -> list[Change]:
        by_holder: dict[int, list[Difference]] = {}
        for one in found:
            if not self._is_habit(one):
                by_holder.setdefault(one.holder, []).append(one)
        own = [] if root.is_outside else by_holder.get(id(root.module), [])
        changes: list[Change] = []
        if sum(self._is_defined_anew(root, one) for one in own) > 1:  # and so are its other names
            changes = [self._loaded_anew(root, one) for one in own if one.before != ABSENT]
            by_holder[id(root.module)] = [one for one in own if one.before == ABSENT]
        for group in by_holder.values():
            changes += [self._change(root, one, several=len(group) > _KEYS_NAMED) for one in group]
        return changes

    def _is_defined_anew(self, root: Root, one: Difference) -> bool:
        """Whether a class or function of the module is another one of the same name: its code ran again."""
        is_code = type(one.value) is FunctionType or issubclass(type(one.value), type)
        return is_code and one.before != ABSENT and called(one.value) == f"{root.rules.home}.{one.way[-1][1]}"

    def _loaded_anew(self, root: Root, one: Difference) -> Change:
        after = Spot(one.after, Kind.MODULE, is_reload=True, path=root.path)
        return Change(
            clean(root.name), Spot(one.before, Kind.MODULE), after, key=clean(self._subject(root.name, one.way))
        )

    def _change(self, root: Root, one: Difference, *, several: bool) -> Change:
        exact = clean(self._subject(root.name, one.way))
        shown = one.rebound or (one.way[:-1] if several and one.way[-1][0] is Kind.DICT else one.way)
        holder, mark = shown[-1]
        if len(shown) < len(one.way) and not one.rebound:
            holder = Kind.DICT
        elif type(one.after) is Content and one.holder == id(one.value) and not one.rebound:
            holder = one.after.kind  # the whole of a row or a set
        named = [kind for kind, _ in shown if kind in (Kind.MODULE, Kind.CLASS)]
        after = Spot(
            one.after,
            holder,
            name=mark if type(mark) is str and holder in NAMED else "",
            in_class=bool(named) and named[-1] is Kind.CLASS,
            is_private=any(kind in NAMED and type(step) is str and step.startswith("_") for kind, step in shown),
            is_stub=not root.path and self._is_stub(one.value),  # in a test module it is at home
            of_test_class=holder is Kind.CLASS and self._is_of_test_class(root, shown),
            of_mock=root.name in _MOCKS and holder is Kind.CLASS,
            is_outside=root.is_outside,
            is_part=len(shown) < len(one.way),
            path=root.path,
            module=clean(root.name),
            mock=_mock(one.way),
            of_test=_of_test(root, shown),
        )
        return Change(clean(self._subject(root.name, shown)), Spot(one.before, holder), after, key=exact)

    def _subject(self, name: str, way: Way) -> str:
        return name + "".join(_step(kind, mark, self._relative) for kind, mark in way)

    def _is_of_test_class(self, root: Root, way: Way) -> bool:
        """Whether a name of a test class is meant: its set-ups make those for its own tests."""
        found: object = root.module
        for kind, mark in way[:-1]:
            found = names_of(found).get(mark) if kind in (Kind.MODULE, Kind.CLASS) else None
        return bool(root.path) and way[-1][0] is Kind.CLASS and is_class(found) and _is_of_tests(found)

    def _is_stub(self, value: object) -> bool:
        """Whether it is a stand-in: a mock, a function or class that a test made."""
        if any(home_of_class(base) in _MOCKS for base in bases_of(type(value))):
            return True
        if type(value) is FunctionType or issubclass(type(value), type):
            return self._modules.is_of_tests(home_of(value))
        return False

    def _is_habit(self, one: Difference) -> bool:
        """Whether the interpreter or a library does it by itself: a name is added for what a library made."""
        original = original_of(one.value)
        if original is not one.value and not _is_put_back(one.before, original):  # one of our own taps
            return True
        kind, mark = one.way[-1] if one.way else (None, None)
        if kind is Kind.DICT and type(mark) is str and mark.partition(".")[0] == _OURS:
            return True  # a copy of `sys.modules`, and a module of ours that was imported late
        if kind not in (Kind.MODULE, Kind.CLASS) or one.before != ABSENT or type(one.value) in (int, str, bool):
            return False
        home = home_of(one.value)
        return bool(home) and home != "builtins" and not self._modules.is_own(home) and not self._is_stub(one.value)


def _is_put_back(before: object, original: object) -> bool:
    """Whether a tap of ours stands again in the place of a stand-in, and not for the first time in its original's."""
    return type(before) is Held and before.value is not None and before.value is not original


def _of_test(root: Root, way: Way) -> str:
    """Of the test that gets it as a parameter, or of the class of tests that it is in, how an id ends or goes on."""
    names: list[str] = []
    found: object = root.module
    for kind, mark in way if root.path else ():
        if type(mark) is not str:
            break
        if kind is Kind.FUNCTION and mark.endswith("="):  # a subclass of the test's class gets it, too
            start = f"{root.path}::" if len(names) == 1 else "::"
            return f"{start}{names[-1]}[" if names[-1].startswith("test") else ""
        if kind not in (Kind.MODULE, Kind.CLASS):
            break
        if is_class(found) and not mark.startswith("test") and _is_of_tests(found):
            return "" if type.__subclasses__(found) else f"{root.path}::{'::'.join(names)}::"
        names.append(mark)
        found = names_of(found).get(mark)
    return ""


def _is_of_tests(cls: type) -> bool:
    """Whether it is a class of tests."""
    bases = bases_of(cls)
    names = (name for base in bases for name in names_of(base))
    return any(home_of_class(base) == "unittest.case" for base in bases) or any(
        type(name) is str and name.startswith("test") for name in names
    )


def _mock(way: Way) -> str:
    """The outermost mock on the way, by its name in the module."""
    number = next((number for number, (kind, _) in enumerate(way) if kind is Kind.MOCK), 0)
    return clean("".join(_step(*step, str) for step in way[:number]).removeprefix("."))


def _step(kind: Kind, mark: Mark, relative: Callable[[str], str]) -> str:
    if kind in (Kind.FUNCTION, Kind.FIXTURE) and type(mark) is str and mark.endswith("="):
        return f"({mark.removesuffix('=')})"
    if kind in NAMED:
        return f".{mark}"
    if type(mark) is str:  # the files of a project are keys of many a cache
        return f"[{as_everywhere(mark, relative)!r}]"
    return f"[{mark.said}]" if type(mark) is Key else f"[{mark!r}]"
