"""Hears of `pytest.MonkeyPatch`.

Those of its methods that patch stay as they are: their warnings count the frames above them. A new instance gets lists
of its own kind for what it has to undo, which note what is put in and what is taken out. One that has changed the
folder or ``sys.path`` is asked at looks until it has put that back; the others, which a suite may keep by thousands,
cost nothing.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import FrameType
from typing import Any, Final

from pytest_secaudit.strangers import is_class
from pytest_secaudit.watch import real
from pytest_secaudit.watch.patches.acts import DELETED, REMOVED, Act, ActKind, undone
from pytest_secaudit.watch.patches.register import QUIETLY, Register
from pytest_secaudit.watch.patches.targets import NOTHING, raw
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

__unittest = True

_PRIVATE = attrgetter("_setattr", "_setitem", "_cwd", "_savesyspath")
_REMOVERS = ("delattr", "delitem", "delenv")


class Monkeys:
    """Listens to the instances of `pytest.MonkeyPatch` that are made from now on.

    Attributes:
        off: the private name that the class has no more.
        moved: those that have changed the folder or ``sys.path``, and are not known to have put it back.
    """

    def __init__(self, taps: Taps, stack: Stack, register: Register) -> None:
        self.off = ""
        self.stack = stack
        self.register = register
        self.stopped = False
        self.moved: list[_Monkey] = []
        self._taps = taps
        self._heard: object = None

    def refresh(self) -> None:
        """Listen, once pytest is there."""
        cls = raw(real.modules.get("pytest"), "MonkeyPatch")
        if cls is not self._heard and is_class(cls):
            self._heard = cls
            self._taps.put(cls, "__init__", self._making)
            self._taps.put(cls, "chdir", self._moving)
            self._taps.put(cls, "syspath_prepend", self._moving)

    def _making(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        original(*args, **kwargs)
        with QUIETLY:
            self._made(args[0])

    def _made(self, monkey: Any) -> None:
        try:
            attributes, items, _, _ = _PRIVATE(monkey)
        except AttributeError as error:
            self.off = f"pytest.MonkeyPatch has no {error.name} any more"
            return
        if type(attributes) is ToUndo and type(items) is ToUndo:  # another watch hears of it, too
            attributes.tell(self)
            items.tell(self)
        elif type(attributes) is list and type(items) is list:
            monkey._setattr = ToUndo(_ATTRIBUTE, self)  # noqa: SLF001 - asked for a line above
            monkey._setitem = ToUndo(_ITEM, self)  # noqa: SLF001
        else:
            self.off = "pytest.MonkeyPatch has no lists any more"

    def _moving(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        original(*args, **kwargs)
        with QUIETLY:
            self._has_moved(args[0])

    def _has_moved(self, monkey: Any) -> None:
        to_undo = monkey._setattr  # noqa: SLF001 - guarded when it was made
        if self.stopped or type(to_undo) is not ToUndo or not to_undo.tells(self):  # it was made before we came
            return
        if not any(one.is_of(monkey) for one in self.moved[:]):
            self.moved.append(_Monkey(monkey, self.register))
        self.poll()

    def poll(self) -> None:
        """Ask them what they have changed, and what they have put back: that is nowhere heard."""
        for monkey in self.moved[:]:
            if not monkey.has_moved():
                self.moved.remove(monkey)

    def stop(self) -> None:
        self.stopped = True
        self.moved.clear()


class _Monkey:
    """One instance, held only while it owes something."""

    __slots__ = ("_cwd", "_paths", "_ref", "_register")

    def __init__(self, monkey: Any, register: Register) -> None:
        self._ref = weakref.ref(monkey)
        self._register = register
        self._cwd: Act | None = None
        self._paths: dict[str, Act] = {}

    def is_of(self, monkey: Any) -> bool:
        return self._ref() is monkey

    def has_moved(self) -> bool:
        """Whether it has anything to put back; tells the register what is new."""
        monkey = self._ref()
        if monkey is None:
            return False
        if (monkey._cwd is None) is not (self._cwd is None):  # noqa: SLF001 - guarded when it was made
            self._folder_changed(monkey)
        if monkey._savesyspath is not None or self._paths:  # noqa: SLF001
            self._path_changed(monkey, monkey._savesyspath)  # noqa: SLF001
        return self._cwd is not None or monkey._savesyspath is not None  # noqa: SLF001

    def _folder_changed(self, monkey: Any) -> None:
        if self._cwd is None:
            self._cwd = Act(monkey, "", NOTHING)
            self._register.open(_CWD, self._cwd, "", None)
        else:
            undone(self._register, self._cwd)
            self._cwd = None

    def _path_changed(self, monkey: Any, saved: list[object] | None) -> None:
        before = {entry for entry in saved or () if type(entry) is str}
        new = [entry for entry in sys.path if type(entry) is str and entry not in before] if saved is not None else []
        for entry in [entry for entry in self._paths if entry not in new]:
            undone(self._register, self._paths.pop(entry))
        for entry in new:
            if entry not in self._paths:
                act = self._paths[entry] = Act(monkey, entry, NOTHING)
                self._register.open(_PATH, act, "", None)


class ToUndo(list[Any]):
    """The list in which a `MonkeyPatch` keeps what it has to undo; equal to a plain one, copied and pickled as one."""

    __slots__ = ("_acts", "_kind", "_told")

    def __init__(self, kind: ActKind, monkeys: Monkeys) -> None:
        super().__init__()
        self._kind = kind
        self._told = [monkeys]
        self._acts: list[tuple[object, Act, Monkeys]] = []

    def tell(self, monkeys: Monkeys) -> None:
        """These want to know, too."""
        self._told.append(monkeys)

    def tells(self, monkeys: Monkeys) -> bool:
        """Whether these have heard of it when it was made."""
        return monkeys in self._told

    def append(self, item: Any, /) -> None:
        super().append(item)
        for monkeys in self._told:
            if not monkeys.stopped:
                with QUIETLY:
                    self._began(item, real.getframe(1), monkeys)

    def _began(self, item: tuple[object, object, object], caller: FrameType, monkeys: Monkeys) -> None:
        target, name, before = item
        before = NOTHING if before is _nothing_of_pytest() else before
        act = Act(target, name, before, removed=caller.f_code.co_name in _REMOVERS)
        self._acts.append((item, act, monkeys))
        named = name if type(name) is str and self._kind is _ATTRIBUTE else ""
        monkeys.register.open(self._kind, act, named, monkeys.stack.of(caller))

    def _ended(self) -> None:
        """Some may be out of the list: they are undone, the newest first."""
        if not self._acts:
            return
        with QUIETLY:
            left = set(map(id, self))
            over = [one for one in self._acts if id(one[0]) not in left]
            self._acts = [one for one in self._acts if id(one[0]) in left]
            for _, act, monkeys in reversed(over):
                undone(monkeys.register, act)

    def __setitem__(self, index: Any, value: Any, /) -> None:
        super().__setitem__(index, value)
        self._ended()

    def __delitem__(self, index: Any, /) -> None:
        super().__delitem__(index)
        self._ended()

    def clear(self) -> None:
        super().clear()
        self._ended()

    def pop(self, *args: Any) -> Any:
        item = super().pop(*args)
        self._ended()
        return item

    def __reduce_ex__(self, protocol: Any, /) -> tuple[Any, ...]:
        return list, (list(self),)


def _nothing_of_pytest() -> object:
    """What pytest notes for an attribute that was not there: another name since 9.0."""
    module = real.modules.get("_pytest.monkeypatch")
    found = raw(module, "NOTSET")
    return raw(module, "notset") if found is NOTHING else found


def _fix_attribute(subject: str, said: str) -> str:
    owner, _, name = subject.rpartition(".")
    what = f'"{subject}"' if "(" not in owner and "<" not in owner else f'..., "{name}"'
    return _with(f"delattr({what})" if said == DELETED else f"setattr({what}, ...)")


def _fix_item(subject: str, said: str) -> str:
    base, _, rest = subject.partition("[")
    key, value = rest.removesuffix("]") or "...", "" if said == REMOVED else ", ..."
    if base == "os.environ":
        return _with(f"{'delenv' if said == REMOVED else 'setenv'}({key}{value})")
    container = "..." if " " in base or "(" in base else base
    return _with(f"{'delitem' if said == REMOVED else 'setitem'}({container}, {key}{value})")


def _with(call: str) -> str:
    return f"with pytest.MonkeyPatch.context() as mp: mp.{call}"


_ATTRIBUTE: Final = ActKind("monkeypatch", "attribute", _fix_attribute)
_ITEM: Final = ActKind("monkeypatch", "item", _fix_item)
_CWD: Final = ActKind("monkeypatch", "cwd", lambda _subject, _said: _with("chdir(...)"))
_PATH: Final = ActKind("monkeypatch", "path", lambda subject, _said: _with(f"syspath_prepend({subject[9:-1]})"))
KINDS: Final = (_ATTRIBUTE, _ITEM, _CWD, _PATH)
