"""Hears of the patchers of `unittest.mock`, and of its backport from PyPI.

Every patch of an attribute comes into force in ``_patch.__enter__`` and ends in ``__exit__``: by ``with``, decorator
(also of coroutine functions and classes), ``start``, ``stop``, ``stopall`` and ``patch.multiple``. So does ``patch.dict``
in ``_patch_dict``, its decorators excepted, which end by themselves in a ``finally``. All these names are private; each
is looked for before it is used.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pytest_secaudit.strangers import is_class, is_module
from pytest_secaudit.watch import real, tapping
from pytest_secaudit.watch.patches.register import QUIETLY, Kind, Opened, Register, Where
from pytest_secaudit.watch.patches.targets import (
    NOTHING,
    Slot,
    a_type,
    attribute_subject,
    is_process_wide,
    item_subject,
    raw,
)
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps, original_of

__unittest = True

MODULES = ("unittest.mock", "mock.mock")

#: Frames of these are those of the listeners themselves, one beneath the other.
_TAPPING, _HERE = vars(tapping), globals()
_ENTER_CONTEXT = getattr(contextlib.ExitStack.enter_context, "__code__", None)

#: Class -> the function in it that must still set these attributes.
_SETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "_patch": {"__init__": ("attribute",), "__enter__": ("temp_original", "is_local", "target"), "__exit__": ()},
    "_patch_dict": {"__init__": ("in_dict", "values"), "_patch_dict": ("_original",), "__enter__": (), "__exit__": ()},
}


class Mocks:
    """Listens to the patchers of one module.

    Attributes:
        off: the private name that the module has no more; empty while all are there.
    """

    def __init__(self, module: str, taps: Taps, stack: Stack, register: Register) -> None:
        self.off = ""
        self._name = module
        self._taps = taps
        self._stack = stack
        self._register = register
        self._heard: object = self  # nothing yet

    def refresh(self) -> None:
        """Listen, once the module is there. Patchers that were started before we came are in force."""
        module = real.modules.get(self._name)
        attributes, dicts = _class_of(module, "_patch"), _class_of(module, "_patch_dict")
        if not is_module(module):
            self.off = ""
            return
        if attributes is self._heard:
            return
        self._heard, self.off = attributes, ""
        if attributes is NOTHING and self._name != MODULES[0]:
            return  # somebody else's `mock`
        missing = _missing(module)
        if missing:
            self.off = f"{self._name} has no {missing} any more"
            return
        self._listen(attributes, _ATTRIBUTE)
        self._listen(dicts, _DICT)
        for patcher in list(raw(attributes, "_active_patches")):  # type: ignore[call-overload]
            kind = _DICT if issubclass(type(patcher), dicts) else _ATTRIBUTE  # type: ignore[arg-type]
            self._register.open(kind, patcher, _text(vars(patcher).get("attribute")), None)

    def _listen(self, cls: Any, kind: Kind) -> None:
        start = getattr(original_of(raw(cls, "start")), "__code__", None)
        entering = self._entering(cls, start) if kind is _ATTRIBUTE else self._entering_dict(start)
        self._taps.put(cls, "__enter__", entering)
        self._taps.put(cls, "__exit__", self._exiting(kind))

    def _entering(self, cls: object, start: types.CodeType | None) -> tapping.Around:
        """Hears of every single patch: the names are at hand, and the usual case makes no call."""
        register, fresh, open_again, where_of = (
            self._register,
            self._register.fresh,
            self._register.open_again,
            self._where,
        )
        getframe, enter_context, kind = real.getframe, _ENTER_CONTEXT, _ATTRIBUTE
        machinery, here = _TAPPING, _HERE

        def entering(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            __tracebackhide__ = True
            try:
                again = hasattr(args[0], "temp_original")  # (not by `__dict__`: it would have to be made)
            except Exception:
                again = False
            result = original(*args, **kwargs)
            try:
                (patcher,) = args
                caller: Any = getframe(2)
                while caller.f_globals is machinery or caller.f_globals is here:
                    caller = caller.f_back
                if type(patcher) is not cls:
                    caller = _before_derived(caller, patcher)
                code = caller.f_code
                special = code is start or code is enter_context
                where: Where = where_of(caller, start) if special else (code, caller.f_lasti)
                if again:
                    open_again(kind, patcher, patcher.attribute, where)
                else:
                    fresh.append((kind, patcher, patcher.attribute, where))
                    if register.heard_by is not None:
                        register.heard_by(kind, patcher, where)
            except Exception:  # the user's patch goes on
                pass
            return result

        return entering

    def _entering_dict(self, start: types.CodeType | None) -> tapping.Around:
        def entering(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            __tracebackhide__ = True
            given = None
            with QUIETLY:
                given = args[0].in_dict  # its path, until it is entered
            result = original(*args, **kwargs)
            with QUIETLY:
                caller: Any = real.getframe(2)
                while caller.f_globals is _TAPPING or caller.f_globals is _HERE:
                    caller = caller.f_back
                self._register.open(_DICT, args[0], _text(given), self._where(caller, start))
            return result

        return entering

    def _exiting(self, kind: Kind) -> tapping.Around:
        fresh, disorders = self._register.fresh, self._register.disorders
        close, opened = self._register.close, self._register.open

        def exiting(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            __tracebackhide__ = True
            closed: Opened | None = None
            try:
                if fresh and fresh[-1][1] is args[0] and not disorders:
                    closed = fresh.pop()
                    if closed[1] is not args[0]:  # another thread patched in between
                        fresh.append(closed)
                        closed = close(args[0])
                else:
                    closed = close(args[0])
            except Exception:  # the user's patch ends all the same
                pass
            try:
                return original(*args, **kwargs)
            except BaseException:
                if closed is not None and kind is _ATTRIBUTE and _ATTRIBUTE.is_in_force(args[0]):
                    opened(*closed)
                raise

        return exiting

    def _where(self, caller: types.FrameType, start: types.CodeType | None) -> Where:
        """Where the user made a patch, by what called ``__enter__``.

        The stack is walked for `start`, which only the user ends, and within `patch.multiple`. Of a ``with`` and an
        ``ExitStack`` the instruction is kept: they end by themselves, mostly.
        """
        if caller.f_code is start:
            return self._stack.of(caller.f_back)
        if caller.f_code is not _ENTER_CONTEXT:
            return caller.f_code, caller.f_lasti
        behind = caller.f_back
        if behind is None:
            return None
        return self._stack.of(behind) if behind.f_code.co_name == "__enter__" else (behind.f_code, behind.f_lasti)


def _class_of(module: object, name: str) -> object:
    """The module's own class of this name, also where somebody put a derived one there, as oslotest does for OpenStack.

    The derived one calls the methods of its own base.
    """
    found = raw(module, name)
    if not is_class(found):
        return found
    own = raw(module, "__name__")
    return next((base for base in type.mro(found) if raw(base, "__module__") == own), found)


def _before_derived(caller: types.FrameType | None, patcher: object) -> types.FrameType | None:
    """Who entered a patcher of a derived class, whose ``__enter__`` called the base's."""
    codes = [getattr(original_of(raw(cls, "__enter__")), "__code__", None) for cls in type(patcher).__mro__]
    while caller is not None and any(caller.f_code is code for code in codes):
        caller = caller.f_back
        while caller is not None and (caller.f_globals is _TAPPING or caller.f_globals is _HERE):
            caller = caller.f_back
    return caller


def _missing(module: object) -> str:
    """The first private name that is not what it was; empty if all are."""
    for name, methods in _SETS.items():
        cls = _class_of(module, name)
        if not is_class(cls):
            return name
        for method, attributes in methods.items():
            names = getattr(getattr(original_of(raw(cls, method)), "__code__", None), "co_names", None)
            if names is None:
                return f"{name}.{method}"
            for attribute in attributes:
                if attribute not in names:
                    return f"{name}.{attribute}"
    return "" if type(raw(_class_of(module, "_patch"), "_active_patches")) is list else "_patch._active_patches"


class _Attribute:
    """`patch`, `patch.object`, each attribute of `patch.multiple`: instances of ``_patch``."""

    word = "mock"

    def slot(self, patcher: Any) -> Slot | None:
        own = vars(patcher)
        if "temp_original" not in own:
            return None
        return own["target"], own["attribute"], own["temp_original"] if own.get("is_local") else NOTHING

    def target(self, patcher: Any) -> object | None:
        target: object = vars(patcher).get("target")
        return target

    def given(self, patcher: Any, _name: str) -> str:
        return _path_in(vars(patcher).get("getter"))

    def is_in_force(self, patcher: Any) -> bool:
        return "temp_original" in vars(patcher)

    def let_go(self, patcher: Any) -> None: ...

    def subjects(self, patcher: Any, target: str) -> Iterable[tuple[str, str]]:
        own = vars(patcher)
        value = raw(own["target"], own["attribute"])
        said = "a mock" if value is NOTHING else a_type(value)
        yield attribute_subject(own["target"], own["attribute"], target), f"replaced by {said}"

    def fix(self, subject: str, _said: str) -> str:
        return f"with {_call(subject)}, or self.addCleanup(p.stop) right after start"


def _call(subject: str) -> str:
    owner, _, name = subject.rpartition(".")
    return f'patch("{subject}")' if "(" not in owner and "<" not in owner else f'patch.object(..., "{name}")'


def _path_in(getter: object) -> str:
    """The path that was given as a string: `mock` keeps it in a partial or a closure."""
    kept: object = None
    args = getattr(getter, "args", None) if type(getter).__name__ == "partial" else None
    if type(args) is tuple and args:
        kept = args[0]
    elif type(getter) is types.FunctionType and getter.__closure__:
        try:
            kept = getter.__closure__[0].cell_contents
        except ValueError:
            return ""
    return kept if type(kept) is str else ""


class _Dict:
    """`patch.dict`: instances of ``_patch_dict``."""

    word = "mock.dict"

    def slot(self, _patcher: Any) -> Slot | None:
        return None

    def target(self, patcher: Any) -> object | None:
        target: object = vars(patcher).get("in_dict")
        return None if is_process_wide(target) else target

    def given(self, _patcher: Any, name: str) -> str:
        return name

    def is_in_force(self, _patcher: Any) -> bool:
        return True

    def let_go(self, patcher: Any) -> None: ...

    def subjects(self, patcher: Any, target: str) -> Iterable[tuple[str, str]]:
        container, values = patcher.in_dict, patcher.values
        if not is_process_wide(container):
            if values or patcher.clear:
                yield target or "a dictionary", "set"
            return
        before: Any = patcher._original  # noqa: SLF001
        for key, value in list(values.items()):
            old = before.get(key, NOTHING)
            if old is NOTHING or not _same(old, value):
                yield item_subject(container, key, ""), "set"
        if patcher.clear:
            yield from ((item_subject(container, key, ""), "removed") for key in before if key not in container)

    def fix(self, subject: str, _said: str) -> str:
        base, _, key = subject.partition("[")
        values = f"{{{key[:-1]}: ...}}" if key else "..."
        call = f'patch.dict("{base}", {values})' if " " not in base else "patch.dict(...)"
        return f"with {call}, or self.addCleanup(p.stop) right after start"


def _same(old: object, new: object) -> bool:
    return old is new or (type(old) is str and type(new) is str and old == new)


def _text(value: object) -> str:
    return value if type(value) is str else ""


_ATTRIBUTE: Final = _Attribute()
_DICT: Final = _Dict()
KINDS: Final = (_ATTRIBUTE, _DICT)
