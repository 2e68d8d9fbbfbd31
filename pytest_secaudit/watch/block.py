"""The watch over one block of code, beside whatever else is watched: what its body changed and did not put back.

A block has areas, a ledger and taps of its own. Its body is judged alone. Where a write is heard as it happens, it is
known whose it was: the body's, also in a thread that it started and in a task that was begun in it; anybody else's is
not the block's. What is only seen by looking before and after is the block's, whoever did it meanwhile, but for
fixtures that pytest sets up within it.
"""

from __future__ import annotations

import contextvars
import weakref
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.redact import clean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas import Facts, areas_for
from pytest_secaudit.watch.areas.contexts import ContextVars
from pytest_secaudit.watch.areas.generators import Decimals
from pytest_secaudit.watch.areas.threads import Threads
from pytest_secaudit.watch.areas.values import Hidden, shown
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.ledger import OUTSIDE, Actor, Claim
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.promises import Promised, Promises
from pytest_secaudit.watch.record import Claimed
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import Taps

#: The blocks that the code at hand runs in. A task takes over those of the code that began it.
_INSIDE: contextvars.ContextVar[frozenset[int]] = contextvars.ContextVar("blocks", default=frozenset())

#: What belongs to a context.
_OF_A_CONTEXT = (ContextVars.name, Decimals.name)

_serials = count(1)


@lean
@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that a block left changed.

    Attributes:
        area: what watched it: ``environ``, ``threads``.
        subject: what was changed: ``os.environ['TZ']``.
        said: how a sentence goes on after the subject: ``set``, ``at /tmp (it was /repo)``.
        before, after: what it was and what it is, as far as that can be said; never the value of a variable.
        written_at: the line that wrote, ``path:line``; empty where it is not known.
        fix: what to write instead, in one line.
        text: all of it.
    """

    area: str
    subject: str
    said: str
    before: str
    after: str
    written_at: str
    fix: str

    @property
    def text(self) -> str:
        where = f"  ({self.written_at})" if self.written_at else ""
        states = f"\n    before: {self.before}\n    after:  {self.after}" if self.before and self.after else ""
        fix = f"\n    fix: {self.fix}" if self.fix else ""
        return f"{self.subject} {self.said}{where}{states}{fix}"


class Block:
    """One block, from its beginning to its end.

    Args:
        names: of the areas to watch.
        facts: what these must know.
        is_test_side: whether a file counts as the tests' own.
        source_of: the text of a file, by its path as reports name it.
        path, line: where the function is defined that holds the block; line 0 for none.
        holds: whether a line of that function belongs to the block.

    Attributes:
        not_watched: the areas that could not be watched, and why.
    """

    def __init__(
        self,
        names: Collection[str],
        facts: Facts,
        is_test_side: Callable[[str], bool],
        source_of: Callable[[str], str],
        path: str,
        line: int,
        holds: Callable[[int], bool],
    ) -> None:
        self._serial = next(_serials)
        self._actor = Actor("test", "the block", path=path, line=line, serial=self._serial)
        self._taps = Taps(beside=True)
        self._path, self._holds = path, holds
        self._home = real.get_ident()
        self._task = _loosely(_current_task())
        self._blind: dict[str, str] = {}
        self._token: contextvars.Token[frozenset[int]] | None = None
        try:
            stack = Stack(facts.relative, is_test_side)
            stack.who = self._who
            self._promises = Promises(self._taps)
            self._engine = Engine(areas_for(self._taps, stack, facts, names), exact=True)
        except BaseException:
            self._taps.take_back()
            raise
        self._engine.source_of = source_of
        threads = self._engine.areas.get(Threads.name)
        self._threads = threads if isinstance(threads, Threads) else None
        if self._threads is not None:
            self._threads.on_start = lambda: self._who()[0]

    def begin(self) -> None:
        """What is changed from here on counts."""
        self._engine.look()
        self._engine.begin_tests()
        self._engine.ledger.enter(self._actor)
        self._token = _INSIDE.set(_INSIDE.get() | {self._serial})

    def end(self) -> tuple[Leak, ...]:
        """What was left; the process is left alone from here on."""
        engine = self._engine
        try:
            self._leave_context()
            engine.leave(self._actor)
            engine.close(self._actor)
            promised = self._promises.given() if engine.ledger.claims else Promised()
            found = [
                self._leak(claim.change, said)
                for claim, said in zip(engine.ledger.claims, engine.claimed(), strict=True)
                if claim.area not in self._blind and not promised.holds(claim.change.subject, self._patcher(claim))
            ]
        finally:
            engine.stop()
            self._taps.take_back()
        patched = {leak.subject for leak in found if leak.area == Patches.name}
        return tuple(leak for leak in found if leak.area == Patches.name or leak.subject not in patched)

    def _patcher(self, claim: Claim) -> object:
        patches = self._engine.areas[claim.area]
        return patches.patcher(claim.change) if isinstance(patches, Patches) else None

    def _leak(self, change: Change, record: Claimed) -> Leak:
        place = record.written_at or record.site
        if place is not None and change.site is not None and not change.site.function and place.path == self._path:
            place = place if self._holds(place.line) else None  # it was found by reading, and is not in the block
        return Leak(
            area=record.area,
            subject=record.subject,
            said=record.said,
            before=_state(change.before),
            after=_state(change.after),
            written_at=f"{place.path}:{place.line}" if place is not None else "",
            fix=record.fix,
        )

    @property
    def not_watched(self) -> dict[str, str]:
        return {**self._engine.off, **self._blind}

    def _leave_context(self) -> None:
        if self._token is not None:
            try:
                _INSIDE.reset(self._token)
            except ValueError:  # a fixture of pytest-asyncio may
                _INSIDE.set(_INSIDE.get() - {self._serial})
                why = "the block ended in another context than it began in"
                self._blind = {name: why for name in _OF_A_CONTEXT if name in self._engine.areas}

    # --- others

    @contextmanager
    def somebody_else(self, name: str) -> Iterator[None]:
        """What is done meanwhile is not the block's: pytest sets up a fixture, which will put it back in its own time."""
        other = Actor("fixture", name, serial=next(_serials))
        self._engine.enter(other)
        try:
            yield
        finally:
            self._engine.leave(other)

    def _who(self) -> tuple[Actor, bool]:
        """Whose hand acts, and whether that is another's than the one that is on stage."""
        ident = real.get_ident()
        if ident == self._home:
            return (self._engine.ledger.acting, False) if self._is_my_task() else (OUTSIDE, True)
        if self._serial in _INSIDE.get():  # what a thread was handed with its context: asyncio.to_thread
            return self._actor, True
        starter = self._threads.starter_of(ident) if self._threads is not None else None
        if type(starter) is Actor:
            return starter, True
        is_worker = self._threads is not None and self._threads.works_for_others(ident)
        return (self._actor if is_worker else OUTSIDE), True

    def _is_my_task(self) -> bool:
        """Whether the code at hand belongs to the body, where several tasks take turns."""
        task = self._task() if self._task is not None else None
        if task is None or task.done() or self._serial in _INSIDE.get():
            return True
        return task is _current_task()


def _current_task() -> Any:
    """The task of asyncio that runs in this thread; None if there is none. Nothing is imported for that."""
    tasks = real.modules.get("asyncio.tasks")
    ask = vars(tasks).get("current_task") if tasks is not None else None
    if ask is None:
        return None
    try:
        return ask()
    except RuntimeError:  # no loop runs
        return None


def _loosely(task: Any) -> weakref.ref[Any] | None:
    return None if task is None else weakref.ref(task)


def _state(value: Hashable) -> str:
    """A value in a sentence; empty for what has no words of its own."""
    if type(value) is Hidden:
        return "a value that is not shown"
    if type(value) is str:
        return clean("not there" if value == ABSENT else value[:60])
    return shown(value) if type(value) in (Held, bool, bytes, float, int, type(None)) else ""
