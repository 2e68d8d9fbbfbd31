"""What `pytest.MonkeyPatch`, ``caplog`` and ``mocker`` have promised to put back: those from before a block began.

They belong to a fixture, or to whoever else made them, and are undone in their own time. As long as nothing was left
nobody looks for them.
"""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import is_class, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas import cwd, imports, logs
from pytest_secaudit.watch.patches.targets import attribute_subject, item_subject, title
from pytest_secaudit.watch.tapping import Taps


class Promises:
    """Tells those that are older than the block from those that it made itself."""

    def __init__(self, taps: Taps) -> None:
        self._young: weakref.WeakSet[Any] = weakref.WeakSet()
        self._kinds: dict[type, Given] = {}
        for (module, name), given in _KINDS.items():
            kind = names_of(real.modules.get(module)).get(name)
            if is_class(kind):
                self._kinds[kind] = given
                taps.put(kind, "__init__", self._making)

    def _making(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        original(*args, **kwargs)
        self._young.add(args[0])

    def given(self) -> Promised:
        """What they will put back."""
        objects = gc.get_objects() if self._kinds else ()
        every = [
            promise
            for kind, given in self._kinds.items()
            for one in objects
            if type(one) is kind and one not in self._young
            for promise in given(names_of(one))
        ]
        return Promised(frozenset(subject for subject, _ in every), [patcher for _, patcher in every])


@lean
@dataclass(frozen=True, slots=True)
class Promised:
    """What older ones will put back.

    Attributes:
        subjects: as changes name it.
        patchers: that they will stop.
    """

    subjects: frozenset[str] = frozenset()
    patchers: Sequence[object] = ()

    def holds(self, subject: str, patcher: object) -> bool:
        """Whether this is one of them, or an entry or part of one."""
        if subject == imports.ORDER:
            return imports.PATH in self.subjects
        if patcher is not None and any(patcher is one for one in self.patchers):
            return True
        return subject in self.subjects or any(subject.startswith((f"{one}[", f"{one}.")) for one in self.subjects)


# --- private names of pytest and pytest-mock: where one is gone, nothing is promised, and our own tests fail

#: Subjects, each with the patcher that will be stopped, if there is one.
Given = Callable[[Mapping[str, Any]], Iterable[tuple[str, object]]]


def _of_monkeypatch(names: Mapping[str, Any]) -> Iterator[tuple[str, None]]:
    for target, name, _ in names.get("_setattr", ()):
        known = _of_logger(target) if issubclass(type(target), logging.Logger) else title(target)
        yield attribute_subject(target, name, known), None
    for container, key, _ in names.get("_setitem", ()):
        yield item_subject(container, key, ""), None
    if names.get("_cwd") is not None:
        yield cwd.SUBJECT, None
    if names.get("_savesyspath") is not None:
        yield imports.PATH, None


def _of_logger(logger: logging.Logger) -> str:
    return logs.named("" if logger is logging.root else logger.name)


def _of_caplog(names: Mapping[str, Any]) -> Iterator[tuple[str, None]]:
    for name in names.get("_initial_logger_levels", ()):
        yield f"{logs.named(name or '')}.level", None
    if names.get("_initial_disabled_logging_level") is not None:
        yield logs.LoggingDisable.name, None


def _of_mocker(names: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for made in names_of(names.get("_mock_cache")).get("cache", ()):  # type: ignore[attr-defined]
        patcher = names_of(made).get("patch")
        known = names_of(patcher) if patcher is not None else {}
        container: Any = known.get("in_dict")
        if container is not None:
            yield from ((item_subject(container, key, ""), patcher) for key in known.get("values", ()))  # type: ignore[attr-defined]
        else:
            target, attribute = known.get("target"), str(known.get("attribute"))
            yield attribute_subject(target, attribute, title(target)), patcher


_KINDS: Mapping[tuple[str, str], Given] = {
    ("pytest", "MonkeyPatch"): _of_monkeypatch,
    ("pytest", "LogCaptureFixture"): _of_caplog,
    ("pytest_mock.plugin", "MockerFixture"): _of_mocker,
}
