"""What `pytest.MonkeyPatch` and ``caplog`` have promised to put back: those that were there before a block began.

They belong to a fixture, or to whoever else made them, and are undone in their own time. As long as nothing was left
nobody looks for them.
"""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_secaudit.strangers import is_class, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas import cwd, imports, logs
from pytest_secaudit.watch.patches.targets import attribute_subject, item_subject, title
from pytest_secaudit.watch.tapping import Taps


class Promises:
    """Tells those that are older than the block from those that it made itself."""

    def __init__(self, taps: Taps) -> None:
        self._young: weakref.WeakSet[Any] = weakref.WeakSet()
        pytest = names_of(real.modules.get("pytest"))
        self._kinds = {kind: of for name, of in _KINDS.items() if is_class(kind := pytest.get(name))}
        for kind in self._kinds:
            taps.put(kind, "__init__", self._making)

    def _making(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        original(*args, **kwargs)
        self._young.add(args[0])

    def subjects(self) -> frozenset[str]:
        """What they will put back, as changes name it."""
        found = gc.get_objects() if self._kinds else ()
        older = [one for one in found if type(one) in self._kinds and one not in self._young]
        return frozenset(subject for one in older for subject in self._kinds[type(one)](names_of(one)))


def is_among(subject: str, promised: frozenset[str]) -> bool:
    """Whether this is one of them, or an entry or part of one."""
    if subject == imports.ORDER:
        return imports.PATH in promised
    return subject in promised or any(subject.startswith((f"{one}[", f"{one}.")) for one in promised)


# --- private names of pytest: where one is gone, nothing is promised, and our own tests fail


def _of_monkeypatch(names: Mapping[str, Any]) -> Iterator[str]:
    for target, name, _ in names.get("_setattr", ()):
        known = _of_logger(target) if issubclass(type(target), logging.Logger) else title(target)
        yield attribute_subject(target, name, known)
    for container, key, _ in names.get("_setitem", ()):
        yield item_subject(container, key, "")
    if names.get("_cwd") is not None:
        yield cwd.SUBJECT
    if names.get("_savesyspath") is not None:
        yield imports.PATH


def _of_logger(logger: logging.Logger) -> str:
    return logs.named("" if logger is logging.root else logger.name)


def _of_caplog(names: Mapping[str, Any]) -> Iterator[str]:
    for name in names.get("_initial_logger_levels", ()):
        yield f"{logs.named(name or '')}.level"
    if names.get("_initial_disabled_logging_level") is not None:
        yield logs.LoggingDisable.name


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "MonkeyPatch": _of_monkeypatch,
    "LogCaptureFixture": _of_caplog,
}
