"""What becomes of patchers: never started, called as the original never could be, a failure that nobody ran into.

A patcher is heard of when it is made, when it asks for the original (which it does once, as it is entered) and when it
is left. Nothing is held but weak references.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any

from pytest_secaudit.lexicon import is_security_check
from pytest_secaudit.model import Place
from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import bases_of, is_module, names_of, type_name
from pytest_secaudit.watch import real
from pytest_secaudit.watch.engine import owner_of
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.mocks_at_work.signatures import plain_function, refusal, shape
from pytest_secaudit.watch.mocks_at_work.written import SourceLines
from pytest_secaudit.watch.record import Noticed, SimulatedFailure
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site

__unittest = True

_NAME_OF_A_CLASS: Any = vars(type)["__name__"]
_QUALNAME_OF_A_CLASS: Any = vars(type)["__qualname__"]

_FORMS = ("patch", "object", "dict", "multiple")
_MOST_CALLS = 100
_MOST_MOCKS = 50
_MOST_FAILURES = 10_000
#: So many patchers are known before those that are gone are looked for.
_MANY = 4096


class _Patcher:
    """A patcher, as long as it lives.

    Attributes:
        where: the instruction of the test side that made it, or a site if others made it for the test.
        maker: who was on stage then.
        user: who entered it, if that is of interest.
        is_used: it was entered, or made a decorator.
        turn: during which test it was entered the last time.
    """

    __slots__ = ("is_copy", "is_used", "maker", "ref", "turn", "user", "where")

    def __init__(self, patcher: object, where: Site | tuple[CodeType, int] | None, maker: Actor | None) -> None:
        self.ref = weakref.ref(patcher)
        self.where = where
        self.maker = maker
        self.user: Actor | None = None
        self.is_used = False
        self.is_copy = False
        self.turn = -1


class _Instruction:
    """Stands for a frame, of which only the code and the place in it were kept."""

    f_back = None

    def __init__(self, code: CodeType, at: int) -> None:
        self.f_code = code
        self._at = at

    @property
    def f_lineno(self) -> int:
        return next((line or 0 for start, end, line in self.f_code.co_lines() if start <= self._at < end), 0)


class Patchers:
    """Follows the patchers of all modules that have some.

    Args:
        who: tells who acts, and whether in another thread than the one that runs the tests.
    """

    def __init__(self, stack: Stack, who: Callable[[], tuple[Actor, bool]], lines: SourceLines) -> None:
        self._stack = stack
        self._who = who
        self._lines = lines
        self._mocks: tuple[type, ...] = ()
        self._names: list[tuple[type, Callable[[object], dict[str, Any]]]] = []
        self._defaults: tuple[object, ...] = ()
        self._passed_through: set[int] = {id(globals())}
        self._patchers: dict[int, _Patcher] = {}
        self._many = _MANY
        self._new: list[_Patcher] = []
        self._turn = 0
        self._wrong_calls: list[Noticed] = []
        self._failing: dict[tuple[Place, str], bool] = {}
        self._was_reset: set[int] = set()
        self._failures: list[SimulatedFailure] = []

    def learn(self, module: types.ModuleType, mock: type, passed_through: Iterable[object]) -> None:
        """A module that has patchers is there; frames of these namespaces are not the user's."""
        self._mocks = (*self._mocks, mock)
        slot: Any = next(names["__dict__"] for base in bases_of(mock) if "__dict__" in (names := names_of(base)))
        self._names.append((mock, slot.__get__))
        self._defaults = (*self._defaults, names_of(module).get("DEFAULT"))
        self._passed_through.update(map(id, (names_of(module), *passed_through)))

    # --- acts

    def around_making(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        try:  # noqa: SIM105 - `suppress` costs more
            self._made(args[0], real.getframe(1))
        except Exception:  # no affair of theirs
            pass
        return result

    def _made(self, patcher: object, frame: FrameType | None) -> None:
        is_copy, passed_through = False, self._passed_through
        while frame is not None and (id(frame.f_globals) in passed_through):
            is_copy = is_copy or frame.f_code.co_name == "copy"
            frame = frame.f_back
        if frame is None:
            return
        if self._stack.kind(frame) == "test":
            made = _Patcher(patcher, (frame.f_code, frame.f_lasti), self._who()[0])
            made.is_copy = is_copy
        else:
            made = _Patcher(patcher, self._stack.of(frame), None)
        self._keep(patcher, made)

    def _keep(self, patcher: object, made: _Patcher) -> None:
        self._patchers[id(patcher)] = made
        self._new.append(made)

    def _known(self, patcher: object) -> _Patcher:
        made = self._patchers.get(id(patcher))
        if made is None or made.ref() is not patcher:  # made before we came
            made = _Patcher(patcher, None, None)
            self._keep(patcher, made)
        return made

    def around_using(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """It is entered, or put around a function."""
        __tracebackhide__ = True
        try:  # noqa: SIM105 - `suppress` costs more
            self._known(args[0]).is_used = True
        except Exception:  # no affair of theirs
            pass
        return original(*args, **kwargs)

    def around_entering(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        try:
            patcher = args[0]
            made = self._known(patcher)
            made.is_used, made.turn = True, self._turn
            if is_security_check(patcher.attribute):
                made.user = self._who()[0]
        except Exception:  # no affair of theirs
            pass
        return original(*args, **kwargs)

    def around_leaving(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        try:  # noqa: SIM105 - `suppress` costs more
            self._left(args[0])
        except Exception:  # no affair of theirs
            pass
        return original(*args, **kwargs)

    def around_reset(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """A mock is about to forget whether it was called."""
        __tracebackhide__ = True
        with suppress(Exception):
            effect, called = _effect_in(self._names_in(args[0]))
            if called and _exception(effect):
                self._was_reset.add(id(args[0]))
        return original(*args, **kwargs)

    def _left(self, patcher: Any) -> None:
        made = self._known(patcher)
        if not hasattr(patcher, "temp_original"):
            return  # it was not entered
        now = names_of(patcher.target).get(patcher.attribute)
        mock = self._mock_in(now)
        if mock is None:
            return
        if made.turn == self._turn:
            self._note_failures(mock, made)
        if made.user is not None and any(patcher.new is default for default in self._defaults):
            self._note_wrong_calls(mock, patcher, made, made.user)

    def _mock_in(self, found: object) -> Any:
        """The mock that a replacement is, or that a function made for a signature keeps."""
        if type(found) is types.FunctionType:
            found = names_of(found).get("mock")
        return found if issubclass(type(found), self._mocks) else None

    def _names_in(self, mock: object) -> dict[str, Any]:
        """What it holds. Asked for each patch: the general way of `names_of` is dear for what has a class of its own."""
        kind = type(mock)
        for cls, names_in in self._names:
            if issubclass(kind, cls):
                return names_in(mock)
        raise TypeError(kind)

    # --- failures that nobody ran into

    def _note_failures(self, mock: object, made: _Patcher) -> None:
        found = [mock]
        for one in found:  # what it made up, too: attributes, and what calls return
            names = self._names_in(one)
            effect, called = _effect_in(names)
            if effect is not None:
                self._note_effect(_exception(effect), made, called=called or id(one) in self._was_reset)
            for child in (*names["_mock_children"].values(), names.get("_mock_return_value")):
                inner = self._mock_in(child)
                if inner is not None and len(found) < _MOST_MOCKS and not any(inner is other for other in found):
                    found.append(inner)

    def _note_effect(self, exception: str, made: _Patcher, *, called: bool) -> None:
        if exception:
            key = (self._place(made) or self._place_of_who(), exception)
            self._failing[key] = self._failing.get(key, False) or called

    def _place(self, made: _Patcher) -> Place | None:
        where = made.where
        site = self._stack.of(_Instruction(*where)) if type(where) is tuple else where  # type: ignore[arg-type]
        return site.edit if type(site) is Site else None

    def _place_of_who(self) -> Place:
        actor, _ = self._who()
        return Place(actor.path, actor.line)

    # --- calls that the original would have refused

    def _note_wrong_calls(self, mock: object, patcher: Any, made: _Patcher, user: Actor) -> None:
        names = self._names_in(mock)
        if any(names.get(name) is not None for name in ("_mock_methods", "_mock_wraps", "_spec_signature")):
            return
        plain = plain_function(patcher.target, patcher.temp_original, is_local=patcher.is_local)
        if plain is None:
            return
        for one in list(names["_mock_call_args_list"])[:_MOST_CALLS]:
            values, keywords = tuple.__getitem__(one, 0), tuple.__getitem__(one, 1)
            why = refusal(plain, len(values), tuple(keywords))
            if why:
                self._wrong_calls.append(
                    self._wrong_call(patcher, made, user, shape(len(values), tuple(keywords)), why)
                )
                return

    def _wrong_call(self, patcher: Any, made: _Patcher, user: Actor, said: str, why: str) -> Noticed:
        name: str = patcher.attribute
        place = self._place(made)
        return Noticed(
            code="PSA802",
            subject=clean(_subject(patcher)),
            message=clean(f"{name} is replaced by a mock, and called {said}: the real one refuses that, {why}"),
            fix="keep its signature: autospec=True",
            owner=owner_of(user),
            place=place,
            written_at=place,
            security=clean(name),
        )

    def _at_its_line(self, noticed: Noticed) -> Noticed:
        """Each patch is one of its own, however often that function is replaced."""
        written = self._lines.call(noticed.place, *_FORMS) if noticed.place is not None else None
        return noticed if written is None else replace(noticed, subject=written.identity, place=written.place)

    # --- the test is over

    def news(self, test: str, *, passed: bool) -> Iterator[Noticed]:
        """What it did with patchers."""
        new, self._new = self._new, []
        self._turn += 1
        used = {made.where for made in new if made.is_used}
        for made in new:
            if not made.is_used and not made.is_copy and made.where not in used and made.ref() is None:
                noticed = self._dropped(made, passed=passed)
                if noticed is not None:
                    yield noticed
        wrong, self._wrong_calls = self._wrong_calls, []
        yield from map(self._at_its_line, wrong)
        failing, self._failing = self._failing, {}
        self._was_reset.clear()
        if passed and test and len(self._failures) < _MOST_FAILURES:
            self._failures += [
                SimulatedFailure(place.path, place.line, test, name, raised)
                for (place, name), raised in failing.items()
                if place.path
            ]
        if len(self._patchers) > self._many:
            self._forget()

    def drain_failures(self) -> tuple[SimulatedFailure, ...]:
        """Those of the tests that are over, each once."""
        found, self._failures = self._failures, []
        return tuple(found)

    def _forget(self) -> None:
        self._patchers = {key: made for key, made in list(self._patchers.items()) if made.ref() is not None}
        self._many = max(_MANY, 2 * len(self._patchers))

    def _dropped(self, made: _Patcher, *, passed: bool) -> Noticed | None:
        """A patcher that is gone and was never started."""
        place, actor = self._place(made), made.maker
        if place is None or actor is None or actor.kind == "import":
            return None
        written = self._lines.call(place, *_FORMS)
        is_statement = written is not None and written.use == "bare"
        # What a set-up keeps is for tests to start, and not every test has to.
        if written is None or not (is_statement or (passed and actor.kind == "test")):
            return None
        end = "throws it away" if is_statement else "never starts it"
        return Noticed(
            code="PSA007",
            subject=written.identity,
            message=f"makes a patcher and {end}: {written.text}",
            fix=f"with {written.text}: around the lines it is meant for",
            owner=owner_of(actor),
            place=written.place,
            written_at=place,
        )


def _effect_in(names: Mapping[str, Any]) -> tuple[object, bool]:
    """What a mock does when it is called, and whether it was. A function made for its signature may keep both."""
    function = names.get("_mock_delegate")
    if type(function) is types.FunctionType:
        names = names_of(function)
        return names.get("side_effect"), names.get("called") is True
    return names.get("_mock_side_effect"), names.get("_mock_called") is True


def _exception(effect: object) -> str:
    """The name of the type, if it is an exception or a class of them."""
    kind: type = effect if issubclass(type(effect), type) else type(effect)  # type: ignore[assignment]
    if BaseException not in bases_of(kind):
        return ""
    return clean(str(_NAME_OF_A_CLASS.__get__(kind)))


def _subject(patcher: Any) -> str:
    """The attribute as it is named in the patch; by its home, if the object itself was given."""
    given = getattr(patcher.getter, "args", None)
    if type(given) is tuple and given and type(given[0]) is str:
        return f"{given[0]}.{patcher.attribute}"
    target = patcher.target
    names = names_of(target)
    if is_module(target):
        return f"{names.get('__name__')}.{patcher.attribute}"
    if issubclass(type(target), type):
        return f"{names.get('__module__')}.{_QUALNAME_OF_A_CLASS.__get__(target)}.{patcher.attribute}"
    return f"{type_name(target)}().{patcher.attribute}"
