"""The watcher of namespaces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from types import FunctionType, ModuleType
from typing import Final

from pytest_secaudit.redact import clean
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.namespaces import telling
from pytest_secaudit.watch.namespaces.differences import Content, Difference, Way, differences
from pytest_secaudit.watch.namespaces.kinds import NAMED, Key, Kind, Mark
from pytest_secaudit.watch.namespaces.roots import MOCKS, Chunk, Modules, Root
from pytest_secaudit.watch.namespaces.telling import Spot
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.strangers import bases_of, called, home_of, home_of_class, names_of
from pytest_secaudit.watch.tapping import Taps, original_of

#: With so many modules on one wire it is quickly told which of them it was.
_IN_A_CHUNK: Final = 25
#: How many modules are looked at with every stage, beside that of the test.
_IN_FOCUS: Final = 12
#: With more keys changed at once than this it is the container that is named.
_KEYS_NAMED: Final = 3
#: So many places are named that are not looked into.
_NAMED: Final = 5
_MOCKS: Final = frozenset(MOCKS)


class Namespaces:
    """Watches what modules hold.

    Args:
        is_project: whether a module is the project's own, tests and product alike.
        test_path: the path of a test-side file as reports name it; empty for any other file.
    """

    name = "namespaces"
    code = "PSA110"
    #: It is woken when a module is loaded, to see what it is like.
    stirred = ()

    def __init__(
        self,
        taps: Taps,  # noqa: ARG002 - the form of an area
        stack: Stack,  # noqa: ARG002
        is_project: Callable[[ModuleType], bool],
        test_path: Callable[[str], str],
    ) -> None:
        self.off = ""
        self._test_path = test_path
        self._modules = Modules(is_project, test_path)
        self._chunks: list[Chunk] = []
        self._has_begun = False
        self._of_test: Root | None = None
        self._focus: dict[Root, None] = {}
        #: The names of modules in which the last run found something, and those of this run.
        self.suspects: Collection[str] = ()
        self.found_in: set[str] = set()

    # --- looking

    def begin(self) -> None:
        """The test modules are loaded: what they and others hold counts from here on."""
        self._has_begun = True
        self.look()
        self._lay(self._modules.outside())

    def look(self) -> Iterable[Change]:
        """Other modules are loaded than before: the new ones are taken as they are."""
        if not self._has_begun:
            return ()
        new = self._modules.new()
        for root in new:
            if root.name in self.suspects:
                self._watch_closely(root)
        self._lay(new)
        return ()

    def _lay(self, roots: Sequence[Root]) -> None:
        for start in range(0, len(roots), _IN_A_CHUNK):
            chunk = Chunk(roots[start : start + _IN_A_CHUNK])
            chunk.lay()
            self._chunks.append(chunk)

    def attend(self, module: object) -> None:
        """Tests of this module are on stage from now on."""
        self._of_test = self._modules.root_of(module)

    def look_near(self) -> Iterable[Change]:
        """At the module of the test, and where something was found before."""
        roots = list(self._focus)
        if self._of_test is not None and self._of_test not in self._focus:
            roots.append(self._of_test)
        moved = [root for root in roots if not root.is_still()]
        return self._news(moved) if moved else ()

    def look_far(self) -> Iterable[Change]:
        """At all modules."""
        moved = [chunk for chunk in self._chunks if not chunk.is_still()]
        if not moved:
            return ()
        news = self._news([root for chunk in moved for root in chunk.roots if not root.is_still()])
        self._drop_unloaded(moved)
        for chunk in moved:
            chunk.lay()
        return news

    def _drop_unloaded(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            gone = [root for root in chunk.roots if not root.is_loaded]
            for root in gone:
                self._modules.forget(root)
                self._focus.pop(root, None)
            chunk.roots = [root for root in chunk.roots if root not in gone]

    def _news(self, roots: Iterable[Root]) -> list[Change]:
        news: list[Change] = []
        for root in roots:
            found = list(differences(root.tree.root, root.module, root.rules)) if root.is_loaded else []
            root.take_again()
            changes = self._changes(root, found)
            news += changes
            if any(self.level(change) != "info" for change in changes) and not root.is_outside:
                self._watch_closely(root)
                self.found_in.add(root.name)
        return news

    def _watch_closely(self, root: Root) -> None:
        """Something was found there: it will be again."""
        self._focus.pop(root, None)
        self._focus[root] = None
        while len(self._focus) > _IN_FOCUS:
            del self._focus[next(iter(self._focus))]

    # --- from a difference to a change

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
        return Change(clean(root.name), Spot(one.before, Kind.MODULE), after, key=clean(_subject(root.name, one.way)))

    def _change(self, root: Root, one: Difference, *, several: bool) -> Change:
        exact = clean(_subject(root.name, one.way))
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
        )
        return Change(clean(_subject(root.name, shown)), Spot(one.before, holder), after, key=exact)

    def _is_of_test_class(self, root: Root, way: Way) -> bool:
        """Whether a name of a test class is meant: its set-ups make those for its own tests."""
        found: object = root.module
        for kind, mark in way[:-1]:
            found = names_of(found).get(mark) if kind in (Kind.MODULE, Kind.CLASS) else None
        if not root.path or way[-1][0] is not Kind.CLASS or not issubclass(type(found), type):
            return False
        bases = bases_of(found)  # type: ignore[arg-type]
        names = (name for base in bases for name in names_of(base))
        return any(home_of_class(base) == "unittest.case" for base in bases) or any(
            type(name) is str and name.startswith("test") for name in names
        )

    def _is_stub(self, value: object) -> bool:
        """Whether it is a stand-in: a mock, a function or class that a test made."""
        if any(home_of_class(base) in _MOCKS for base in bases_of(type(value))):
            return True
        if type(value) is FunctionType or issubclass(type(value), type):
            return self._modules.is_of_tests(home_of(value))
        return False

    def _is_habit(self, one: Difference) -> bool:
        """Whether the interpreter or a library does it by itself: a name is added for what a library made."""
        if original_of(one.value) is not one.value:  # one of our own taps
            return True
        kind = one.way[-1][0] if one.way else None
        if kind not in (Kind.MODULE, Kind.CLASS) or one.before != ABSENT or type(one.value) in (int, str, bool):
            return False
        home = home_of(one.value)
        return bool(home) and home != "builtins" and not self._modules.is_own(home) and not self._is_stub(one.value)

    # --- telling

    @property
    def too_large(self) -> list[str]:
        """What is not looked into for its size."""
        return sorted({clean(place) for chunk in self._chunks for root in chunk.roots for place in root.too_large})

    @property
    def remark(self) -> str:
        """What the report says of it."""
        found = self.too_large
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        return f"not inside {', '.join(found[:_NAMED])}{more}: too large" if found else ""

    def code_of(self, change: Change) -> str:
        return telling.code_of(change)

    def level(self, change: Change) -> str:
        return telling.level_of(change)

    def is_harm_of(self, owner: Actor, change: Change) -> bool:
        return telling.is_harm_of(owner, change)

    def writing_line(self, text: str, first: int, change: Change) -> int | None:
        return telling.writing_line(text, first, change)

    def may_have_written(self, text: str, first: int, change: Change) -> bool:
        """Whether the owner's code has a statement that can have changed it."""
        return bool(telling.writing_lines(text, first, change))

    def said(self, change: Change) -> str:
        return telling.said(change)

    def fix(self, change: Change) -> str:
        return telling.fix(change)

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the modules."""
        self._chunks.clear()
        self._focus.clear()
        self._of_test = None
        self._modules = Modules(lambda _: False, self._test_path)


def _subject(name: str, way: Way) -> str:
    for kind, mark in way:
        name += _step(kind, mark)
    return name


def _step(kind: Kind, mark: Mark) -> str:
    if kind in (Kind.FUNCTION, Kind.FIXTURE) and type(mark) is str and mark.endswith("="):
        return f"({mark.removesuffix('=')})"
    if kind in NAMED:
        return f".{mark}"
    return f"[{mark.said}]" if type(mark) is Key else f"[{mark!r}]"
