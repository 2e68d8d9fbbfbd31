"""What is configured on applications that the project's modules hold: Flask's config, FastAPI's dependency overrides.

An application that a factory makes for a test goes with it and is not watched. Keys and values are compared by
identity, entry by entry; only settings with names in capitals count, as in Flask itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from types import ModuleType
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import called, home_of, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.settings_values import differences, left, shown
from pytest_secaudit.watch.areas.shared_objects import Shared, SharedObjects
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import Taps

Entries = dict[Any, Any]
Items = list[tuple[Any, Any]]

_CONFIGURED = (("flask.app", "Flask"), ("quart.app", "Quart"))
_OVERRIDDEN = (("fastapi.applications", "FastAPI"),)
_ENVIRON = os.environ
_NOTHING: Entries = {}


@dataclass(slots=True)
class _Picture:
    """A dict of the application at one place, as it was last seen.

    Attributes:
        learning: the test that ran when the application was first seen; empty once another one runs. Until then
            nobody knows what the test had changed already, and may yet put back.
    """

    shared: Shared
    learning: str = ""
    app: object = None
    names: Mapping[str, object] = field(default_factory=dict)
    keys: tuple[object, ...] = ()
    values: tuple[object, ...] = ()

    def is_as_it_was(self, found: Entries) -> bool:
        """Whether it has the same values in the same order; a key that came instead of another one is the last."""
        return dict.__len__(found) == len(self.keys) and (
            not self.keys
            or (next(dict.__reversed__(found)) is self.keys[-1] and all(map(is_, dict.values(found), self.values)))
        )

    def take(self, found: Entries) -> None:
        """Take it as it is; no key is asked for its hash."""
        pairs = tuple(dict.items(found))  # at once: other threads may write
        self.keys, self.values = tuple(key for key, _ in pairs), tuple(value for _, value in pairs)

    @property
    def items(self) -> Items:
        """Its entries."""
        return list(zip(self.keys, self.values, strict=True))


class _Applications:
    """The applications of some classes, and one dict of each.

    Args:
        born_empty: nothing is in that dict until somebody else than the application puts it there.
    """

    def __init__(self, objects: SharedObjects, attribute: str, *, born_empty: bool = False) -> None:
        self._objects = objects
        self._attribute = attribute
        self._born_empty = born_empty
        self._modules = 0
        self.pictures: list[_Picture] = []

    def look(self) -> Iterable[tuple[_Picture, Items, Items]]:
        """Those that changed, with their entries then and now."""
        if len(real.modules) != self._modules:
            self._refresh()
        return self._changed() if self.pictures else ()

    def _changed(self) -> list[tuple[_Picture, Items, Items]]:
        changed = []
        for picture in self.pictures:
            app = picture.shared.value
            if app is not picture.app:
                self._take(picture, app)
            found = _entries(picture.names.get(self._attribute))
            if not picture.is_as_it_was(found):
                before = picture.items
                picture.take(found)
                if not picture.learning:
                    changed.append((picture, before, picture.items))
            if picture.learning and _test_running() not in ("", picture.learning):
                picture.learning = ""
        return changed

    def _refresh(self) -> None:
        self._modules = len(real.modules)
        self._objects.refresh()
        for shared in self._objects.found[len(self.pictures) :]:
            picture = _Picture(shared)
            self._take(picture, shared.value)
            if not self._born_empty:
                picture.learning = _test_running()
            elif not shared.is_tests_own:
                picture.take(_NOTHING)
            self.pictures.append(picture)

    def _take(self, picture: _Picture, app: object) -> None:
        """Another object stands there: it is taken as it is."""
        picture.app = app
        picture.names = names_of(app) if self._objects.is_one(app) else _NOTHING
        picture.take(_entries(picture.names.get(self._attribute)))

    def is_in_place(self, subject: str) -> bool:
        """Whether the application that a subject belongs to is still held."""
        return any(
            subject.startswith(f"{picture.shared.path}.") and picture.shared.value is picture.app
            for picture in self.pictures
        )

    def forget(self) -> None:
        """Let go of the applications."""
        self.pictures = []
        self._modules = -1


def _test_running() -> str:
    """The test whose set-up, call or tear-down runs, as pytest says; empty while none does, or somebody hides it."""
    return _ENVIRON.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]


def _entries(found: object) -> Entries:
    return found if issubclass(type(found), dict) else _NOTHING  # type: ignore[return-value]


class FlaskConfig:
    """Watches ``app.config`` of Flask and Quart applications."""

    name = "flask config"
    code = "PSA402"

    def __init__(
        self,
        taps: Taps,  # noqa: ARG002 - the form of an area
        stack: Stack,  # noqa: ARG002
        is_project: Callable[[ModuleType], bool],
        test_path: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.off = ""
        self._apps = _Applications(SharedObjects(_CONFIGURED, is_project, test_path), "config")

    @property
    def stirred(self) -> Sequence[object]:
        return (self._apps.pictures,)

    def look(self) -> Iterable[Change]:
        changed = self._apps.look()
        return [change for one in changed for change in _of_config(*one)] if changed else ()

    def said(self, change: Change) -> str:
        return left(change.before, change.after)

    def fix(self, change: Change) -> str:
        app, _, key = change.subject.rpartition(".config[")
        return f"monkeypatch.setitem({app.rpartition('.')[2]}.config, {key.removesuffix(']')}, ...)"

    def level(self, change: Change) -> str:
        """That the application is under test is no secret to any of the tests."""
        return "info" if change.subject.endswith("['TESTING']") and shown(change.after) == "True" else ""

    def is_lasting(self, change: Change) -> bool:
        """Whether the application is still there."""
        return self._apps.is_in_place(change.subject)

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the applications."""
        self._apps.forget()


def _of_config(picture: _Picture, before: Items, now: Items) -> Iterable[Change]:
    for name, was, there in differences(_in_capitals(before), _in_capitals(now)):
        yield Change(clean(f"{picture.shared.path}.config[{name!r}]"), was, there)


def _in_capitals(entries: Items) -> dict[str, object]:
    return {name: value for name, value in entries if type(name) is str and name.isupper()}


class DependencyOverrides:
    """Watches ``app.dependency_overrides`` of FastAPI applications: what stands in for the login, among others."""

    name = "dependency overrides"
    code = "PSA402"

    def __init__(
        self,
        taps: Taps,  # noqa: ARG002
        stack: Stack,  # noqa: ARG002
        is_project: Callable[[ModuleType], bool],
        test_path: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.off = ""
        self._apps = _Applications(
            SharedObjects(_OVERRIDDEN, is_project, test_path), "dependency_overrides", born_empty=True
        )

    @property
    def stirred(self) -> Sequence[object]:
        return (self._apps.pictures,)

    def look(self) -> Iterable[Change]:
        changed = self._apps.look()
        return [change for one in changed for change in _of_overrides(*one)] if changed else ()

    def said(self, change: Change) -> str:
        if change.after == ABSENT:
            return "removed"
        return f"in place: {shown(change.after)}"

    def fix(self, change: Change) -> str:
        app, _, key = change.subject.rpartition(".dependency_overrides[")
        return f"monkeypatch.setitem({app.rpartition('.')[2]}.dependency_overrides, {key.removesuffix(']')}, ...)"

    def is_lasting(self, change: Change) -> bool:
        """Whether the application is still there."""
        return self._apps.is_in_place(change.subject)

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the applications."""
        self._apps.forget()


def _of_overrides(picture: _Picture, before: Items, now: Items) -> Iterable[Change]:
    """Entry by entry, whose keys may be anybody's objects: told apart by identity."""
    was = {id(key): (key, value) for key, value in before}
    there = {id(key): (key, value) for key, value in now}
    for one in {**was, **there}:
        old, new = was.get(one), there.get(one)
        if old is None or new is None or old[1] is not new[1]:
            key = (old or new or ("",))[0]
            subject = clean(f"{picture.shared.path}.dependency_overrides[{_name(key, picture.shared.space)}]")
            yield Change(subject, _value(old), _value(new), key=f"{subject} {one}")


def _value(entry: tuple[object, object] | None) -> Hashable:
    return ABSENT if entry is None else Held(entry[1], called(entry[1]))


def _name(key: object, space: Mapping[str, object]) -> str:
    """A dependency as a test writes it: a function without its module, an object as the application's module calls it."""
    full = called(key)
    if " " in full:
        return next((name for name, value in list(space.items()) if value is key), full)
    return full.removeprefix(f"{home_of(key)}.")
