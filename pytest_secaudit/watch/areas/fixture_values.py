"""What tests do to the values of fixtures that they share: those of a class, a module, a package or the session.

Looked into are the containers of Python, and instances of classes that test files or the project define; what a library
made is its own affair. What an instance of the project's makes of itself while it is used matters less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import home_of_class, is_module, names_of, with_article
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.pictures import Picture, Place, Whole, changed, is_container, picture, weight
from pytest_secaudit.watch.areas.values import Hidden
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

_NAMED = 5
#: Of these the value is said. Text may be a password.
_SHOWN = ("bool", "complex", "float", "int", "NoneType")

#: With more in it a value is looked at only now and then.
MOST_PLACES_OFTEN = 50
#: What is beyond that in the values of all fixtures is not looked at: it would take milliseconds each time.
MOST_PLACES_IN_ALL = 3000


@dataclass(slots=True)
class _Watched:
    name: str
    value: object
    seen: Picture
    weight: int
    #: What was at the places that have changed without harm since: on the way back there is no harm, either.
    harmless: dict[Place, Hashable] = field(default_factory=dict)


class FixtureValues:
    """Watches the values of wide fixtures, from after their set-up until before their clean-up.

    Args:
        test_path: the path of a test-side file as reports name it; empty for any other.
        is_project: whether a module is the project's own, tests and product alike.
    """

    name = "fixture values"
    code = "PSA106"

    def __init__(
        self,
        taps: Taps,  # noqa: ARG002 - the form of an area
        stack: Stack,  # noqa: ARG002
        *,
        test_path: Callable[[str], str],
        is_project: Callable[[ModuleType], bool],
    ) -> None:
        self.off = ""
        self._is_project = is_project
        self._test_path = test_path
        self._classes: dict[type, bool] = {}
        self._watched: dict[Hashable, _Watched] = {}
        self._by_name: defaultdict[str, list[Hashable]] = defaultdict(list)
        self._too_large: dict[str, None] = {}
        #: The keys of those that somebody on stage asked for.
        self._in_use: dict[Hashable, None] = {}
        #: By key, of all set-ups: fixtures may share a name, and so the subjects of their changes.
        self.changed: defaultdict[Hashable, set[str]] = defaultdict(set)

    def follow(self, key: Hashable, name: str, value: object) -> None:
        """The fixture stands.

        Args:
            key: tells its set-ups apart.
            name: of the fixture.
            value: what tests get.
        """
        if any(one.value is value for one in self._watched.values()):
            return  # handed on by another fixture
        seen = picture(value, self._is_open)
        if seen is None:
            self._note_size(name, value)
            return
        watched = _Watched(name, value, seen, weight(seen))
        if watched.weight + sum(one.weight for one in self._watched.values()) <= MOST_PLACES_IN_ALL:
            self._watched[key] = watched
            self._by_name[name].append(key)
        else:
            self._too_large[name] = None

    def _note_size(self, name: str, value: object) -> None:
        if is_container(value):
            self._too_large[name] = None

    @property
    def remark(self) -> str:
        """What the report says of it."""
        found = sorted(self._too_large)
        return f"not the values of {', '.join(found[:_NAMED])}: too large" if found else ""

    def end(self, key: Hashable) -> None:
        """Its clean-up begins: whatever happens now is nobody's harm."""
        one = self._watched.pop(key, None)
        if one is not None:
            self._by_name[one.name].remove(key)

    def use(self, names: Iterable[str]) -> None:
        """Somebody goes on stage who asked for these fixtures."""
        if self._watched:
            keys = [key for name in names if name in self._by_name for key in self._by_name[name]]
            self._in_use.update((key, None) for key in keys if self._watched[key].weight <= MOST_PLACES_OFTEN)

    # --- looking

    def look(self) -> Iterable[Change]:
        """Those that were asked for."""
        if not self._in_use:
            return ()
        keys, self._in_use = self._in_use, {}
        return self._all_news(keys)

    def look_closely(self) -> Iterable[Change]:
        """All of them: a value is reached in other ways, too."""
        return self._all_news(list(self._watched))

    def _all_news(self, keys: Iterable[Hashable]) -> list[Change]:
        return [change for key in keys if key in self._watched for change in self._news(key, self._watched[key])]

    def _news(self, key: Hashable, one: _Watched) -> Iterator[Change]:
        now = picture(one.value, self._is_open)
        if now is None:  # it has grown beyond all measure
            self.end(key)
            return
        if now == one.seen:
            return
        before, one.seen = one.seen, now
        places = [place for place in changed(before, now) if not _is_harmless(one, before, now, place)]
        for step in dict.fromkeys(map(_first_item, places)):
            subject = clean(f"fixture:{one.name}{''.join(step)}")
            self.changed[key].add(subject)
            yield Change(subject, _part(before, step), _part(now, step), key=f"{key} {subject}")

    def _is_open(self, cls: type) -> bool:
        known = self._classes.get(cls)
        if known is None:
            module = real.modules.get(home_of_class(cls))
            is_own = module is not None and is_module(module) and self._is_project(module)
            known = self._classes[cls] = is_own or self._is_of_tests(cls)
        return known

    def _is_of_tests(self, cls: type) -> bool:
        file = names_of(real.modules.get(home_of_class(cls))).get("__file__")
        return type(file) is str and bool(self._test_path(file))

    # --- telling

    def said(self, change: Change) -> str:
        before, after = _shown(change.before), _shown(change.after)
        if change.after == _NOTHING:
            what = "removed"
        elif change.before == _NOTHING:
            what = f"added, {after}"
        elif before != after:
            what = f"changed to {after} (it was {before})"
        else:
            what = f"with other contents, {after}" if type(_root(change.after)) is Whole else f"replaced, {after}"
        return f"{what}; other tests get the same object"

    def level(self, change: Change) -> str:
        """Where tests only add to a list, the fixture may be collecting for its own clean-up."""
        before, after = _root(change.before), _root(change.after)
        if change.site is None and self._is_of_product(change):
            return "info" if ABSENT in (before, after) or _has_grown(before, after) else "advisory"
        is_row = type(before) is Whole and before.kind in ("list", "deque", "set")
        return "advisory" if is_row and before.has_only_grown(after) else ""

    def _is_of_product(self, change: Change) -> bool:
        """Whether it is in an instance of a class of the product."""
        one = self._watched.get(int(change.key.partition(" ")[0]))
        return one is not None and self._classes.get(type(one.value), False) and not self._is_of_tests(type(one.value))

    def writing_lines(self, text: str, first: int, change: Change) -> set[int]:
        """The lines that assign to what the fixture gave, or call what changes it."""
        from pytest_secaudit.watch.writing_lines import lines_of_value  # loaded with the first claim

        return lines_of_value(text, first, _fixture(change))

    def fix(self, change: Change) -> str:
        name = _fixture(change)
        return f"work on a copy of {name}, or write with monkeypatch"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the values."""
        self._watched.clear()
        self._by_name.clear()
        self._in_use.clear()
        self._classes.clear()


def _fixture(change: Change) -> str:
    return change.subject.removeprefix("fixture:").partition("[")[0].partition(".")[0]


def _has_grown(before: Any, after: Any) -> bool:
    return type(before) is Whole and before.has_only_grown(after)


def _first_item(place: Place) -> Place:
    """The way to the first item, or to the last attribute: as a rule names the place, too."""
    for length, step in enumerate(place, 1):
        if step.startswith("["):
            return place[:length]
    return place


def _part(shown: Picture, root: Place) -> Hidden:
    """What is at a place, and below it."""
    below = frozenset((place, token) for place, token in shown.items() if place[: len(root)] == root)
    return Hidden((shown.get(root, ABSENT), below))


_NOTHING = _part({}, ())


def _root(state: Hashable) -> Any:
    return state.value[0] if type(state) is Hidden and type(state.value) is tuple else ABSENT


def _shown(state: Hashable) -> str:
    """The type of what was there; its value if that is short."""
    root = _root(state)
    if type(root) is Whole:
        return with_article(root.kind)
    if type(root) is tuple and root[0] in _SHOWN:
        return clean(repr(root[1])[:40])
    if type(root) is tuple:
        return with_article(root[0])
    return str(getattr(root, "said", "another object"))


def _is_harmless(one: _Watched, before: Picture, now: Picture, place: Place) -> bool:
    """A stack of a helper's that grows is silent, so it may shrink again."""
    if _is_made_once(before, now, place):
        one.harmless.setdefault(place, before[place])
        return True
    first, was, is_now = one.harmless.get(place, ABSENT), before.get(place), now.get(place)
    if type(first) is Whole and type(is_now) is Whole:
        return first.has_only_grown(is_now) and is_now.has_only_grown(was)
    return first is not ABSENT and first == is_now


def _is_made_once(before: Picture, now: Picture, place: Place) -> bool:
    """A private attribute that went from None to an object, a number that went up: made when first used, a counter."""
    was, is_now = before.get(place), now.get(place)
    if not place or not place[-1].startswith("."):
        return False
    if type(was) is tuple and type(is_now) is tuple and was[0] == is_now[0] == "int":
        return bool(was[1] < is_now[1])
    if type(was) is Whole:
        return was.has_only_grown(is_now)
    return place[-1].startswith("._") and was == ("NoneType", None) and is_now is not None
