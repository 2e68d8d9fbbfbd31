"""How acts are noticed: a callable in the place of another, which nobody can tell from it.

Nothing that is a class is ever replaced, nor ``builtins.open``, nor a name in a user's module. What replaces a builtin
function has no ``__get__`` (``class R: pause = time.sleep`` must go on working), compares equal to the original, and
copies, deep-copies and pickles as it. Undone only if ours is still in place: gevent, eventlet or freezegun may have
saved it; what they saved only passes on from then on.

Several listeners of one run hear one after the other, the first to come as the outermost. A run inside a run (pytester
in one process) does not stack wrappers: the listeners of the newest run hear alone, and those of the run before it
again when that is over. Who only listens for a while beside all runs (`pytest_secaudit.no_leaks`) silences nobody, and
hears whoever else does; such listeners come and go in any order, in any thread.

What differs all the same: ``is`` against a reference taken before; ``type()`` of a builtin (``isinstance`` says what it
always said) and with it ``mock.Mock(spec=...)``'s ``isinstance``; a C method that is listened to on a Python class is a
plain function (``inspect.isfunction``); a builtin found in another module than its ``__module__`` says (``os.system`` of
``posix``) pickles to the same object in more bytes; a warning with ``stacklevel=2`` or more that a tapped Python function
gives by itself names our line. Of those we tap only ``subprocess.Popen`` has one, under ``-X warn_default_encoding``, and
``pytest.MonkeyPatch.syspath_prepend``, of a package that ``pkg_resources`` was told of. On Python 3.10 a traceback that the program itself prints shows our frames; pytest and unittest leave them out.
"""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import os
import sys
import threading
import types
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

#: Frames of code with this name in its globals are left out of tracebacks by unittest; pytest looks in the locals.
__unittest = True

#: Called in place of the original: ``around(original, args, kwargs)`` calls it and returns what it returned.
Around = Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], Any]

_OURS: Final = os.path.dirname(__file__) + os.sep
_MISSING: Final = object()
_serials = itertools.count()
#: Who comes and goes changes lists that others go through; who is called does not wait for it.
_coming_and_going = threading.RLock()
_COPIED = ("__name__", "__qualname__", "__doc__", "__module__", "__self__", "__func__", "__text_signature__")


class _Heard:
    """Who listens to one tap: the listeners of each run, of which only those of the newest run hear, and those beside.

    Attributes:
        chain: the first listener, and what it gets as the original: the next listener, or the original itself. Both in
            one, for others call it while it is made anew.
    """

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        self.chain: tuple[Around, Callable[..., Any]] = (_only_call, original)
        self.places: list[tuple[Any, str, object]] = []
        self._runs: dict[Taps, list[Around]] = {}

    def add(self, run: Taps, around: Around) -> None:
        arounds = self._runs.setdefault(run, [])
        if around not in arounds:
            arounds.append(around)
        self._compose()

    def remove(self, run: Taps) -> bool:
        """Whether nobody listens any more."""
        self._runs.pop(run, None)
        self._compose()
        return not self._runs

    def _compose(self) -> None:
        newest = max((run for run in self._runs if not run.is_beside), key=lambda run: run.serial, default=None)
        heard = [] if newest is None else self._runs[newest].copy()
        for run, arounds in self._runs.items():
            if run.is_beside:
                heard += arounds
        first, *others = heard or [_only_call]
        inner = self.original
        for around in reversed(others):
            inner = functools.partial(_pass, around, inner)
        self.chain = first, inner


def _leave_us_out() -> None:
    """Take our frames, the outermost so far, out of the traceback of what is being handled: a program may print it.

    A bare ``raise`` adds none (before Python 3.11 it does not heed the change).
    """
    _, error, traceback = sys.exc_info()
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OURS):
        traceback = traceback.tb_next
    if error is not None:
        BaseException.with_traceback(error, traceback)  # its class may have a __setattr__ of its own


def _only_call(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    __tracebackhide__ = True
    return original(*args, **kwargs)


def _pass(around: Around, inner: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    return around(inner, args, kwargs)


class BuiltinTap:
    """Stands for a builtin function: callable, but no descriptor."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.__wrapped__ = original
        self.heard = _Heard(original)
        for name in _COPIED:
            if hasattr(original, name):
                setattr(self, name, getattr(original, name))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        around, inner = self.heard.chain
        try:
            return around(inner, args, kwargs)
        except BaseException:
            _leave_us_out()
            raise

    @property  # type: ignore[misc]  # for isinstance and `inspect`; type() tells the truth
    def __class__(self) -> Any:
        return type(self.__wrapped__)

    @property  # a builtin has none, and functools.wraps would copy ours into the wrapper
    def __dict__(self) -> Any:  # type: ignore[override]
        raise AttributeError("__dict__")

    def __eq__(self, other: object) -> bool:
        return original_of(other) == self.__wrapped__

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __dir__(self) -> list[str]:
        return dir(self.__wrapped__)

    def __copy__(self) -> BuiltinTap:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self if type(self.__wrapped__) is types.BuiltinFunctionType else copy.deepcopy(self.__wrapped__, memo)

    def __reduce__(self) -> str | tuple[Any, ...]:
        how = self.__wrapped__.__reduce__()
        if isinstance(how, str) and getattr(sys.modules.get(self.__module__), how, None) is not self:
            return copy.copy, (self.__wrapped__,)  # pickle insists that a name leads to the very object
        return how


BuiltinTap.__call__.__annotations__ = {}  # mock.create_autospec shows the signature of __call__: a builtin's has none

#: Beside the functions, not in their ``__dict__``: functools.wraps copies that into whatever wraps one.
_BY_FUNCTION: weakref.WeakKeyDictionary[Callable[..., Any], _Heard] = weakref.WeakKeyDictionary()


def _function_tap(original: Callable[..., Any], holder: Any) -> types.FunctionType:
    heard = _Heard(original)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def tapped(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            around, inner = heard.chain
            try:
                return await around(inner, args, kwargs)
            except BaseException:
                _leave_us_out()
                raise

    else:

        @functools.wraps(original)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            around, inner = heard.chain
            try:
                return around(inner, args, kwargs)
            except BaseException:
                _leave_us_out()
                raise

    if not hasattr(original, "__module__"):  # a method in C
        tapped.__module__ = getattr(holder, "__module__", None) or holder.__name__
    _BY_FUNCTION[tapped] = heard
    return tapped  # type: ignore[return-value]


def _tap_for(current: Any, holder: Any) -> Any:
    """A tap for what stands there; None for what is no function: a mock, a class, a static or class method."""
    kind = type(current)
    if kind is types.FunctionType:
        return _function_tap(current, holder)
    if kind is types.BuiltinFunctionType or kind is types.MethodType:
        return BuiltinTap(current)
    if kind in (types.MethodDescriptorType, types.WrapperDescriptorType):
        return _function_tap(current, holder)
    return None


def _inherited(holder: Any, name: str) -> Any:
    """What is found there though it is not the holder's own, unbound: a base class has it, or a module makes it."""
    if not isinstance(holder, type):
        return getattr(holder, name, None)
    return next((vars(base)[name] for base in holder.__mro__ if name in vars(base)), None)


def _heard(found: object) -> _Heard | None:
    """Who listens to a tap; None for what is no tap of ours."""
    if type(found) is BuiltinTap:
        return found.heard
    return _BY_FUNCTION.get(found) if type(found) is types.FunctionType else None


def original_of(found: object) -> object:
    """What a tap stands for; anything else is itself."""
    heard = _heard(found)
    return found if heard is None else heard.original


class Taps:
    """The taps of one run, to be taken back together.

    Attributes:
        is_beside: it is no run, and silences none: it listens for a while beside whoever else does.
        serial: its number among the runs of this process.
    """

    def __init__(self, *, beside: bool = False) -> None:
        self.is_beside = beside
        self.serial = next(_serials)
        self._taps: dict[tuple[int, Around], Any] = {}

    def put(self, holder: Any, name: str, around: Around) -> bool:
        """Listen to ``holder.name`` (a module's function, a class's method); False where there is no such function.

        ``around`` for a coroutine function is one itself. One function that lives in several places stays one: the
        same ``around`` for it makes the same tap.
        """
        with _coming_and_going:
            return self._put(holder, name, around)

    def _put(self, holder: Any, name: str, around: Around) -> bool:
        own = vars(holder).get(name, _MISSING)
        heard = _heard(own)
        if heard is None:
            current = _inherited(holder, name) if own is _MISSING else own
            tap = self._taps.get((id(current), around)) or _tap_for(current, holder)
            heard = _heard(tap)
            if heard is None:
                return False
            heard.places.append((holder, name, own))
            setattr(holder, name, tap)
        else:
            tap = own
            if not any(where is holder and known == name for where, known, _ in heard.places):
                heard.places.append((holder, name, heard.original))  # somebody took ours there from another place
        heard.add(self, around)
        self._taps[id(heard.original), around] = tap
        return True

    def take_back(self) -> None:
        """End all of it, the newest first."""
        with _coming_and_going:
            while self._taps:
                _, tap = self._taps.popitem()
                heard = _heard(tap)
                if heard is not None and heard.remove(self):
                    while heard.places:
                        _put_back(tap, *heard.places.pop())


def _put_back(tap: object, holder: Any, name: str, own: object) -> None:
    if vars(holder).get(name) is not tap:
        return  # somebody replaced it since
    if own is _MISSING:
        delattr(holder, name)
    else:
        setattr(holder, name, own)
