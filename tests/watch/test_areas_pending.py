"""asyncio tasks that nobody waited for."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import types
import weakref
from collections.abc import Iterator

import pytest

from pytest_secaudit.watch.areas import patience
from pytest_secaudit.watch.areas.pending import Tasks
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Held
from pytest_secaudit.watch.tapping import Taps


def relative(path: str) -> str:
    return f"<site-packages>/{path.rpartition('/')[2]}" if "site-packages" in path else path


STACK = Stack(relative, lambda path: path == __file__)


@pytest.fixture(params=[False, True], ids=["all", "by loop"])
def area(request: pytest.FixtureRequest) -> Iterator[Tasks]:
    area = Tasks(Taps(), STACK, by_loop=request.param)
    assert not area.look()
    assert not area.look()
    yield area
    area.stop()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    if not loop.is_closed():
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    asyncio.set_event_loop(None)


async def poll() -> None:
    await asyncio.Event().wait()


def test_a_task_that_is_left_and_its_end(area: Tasks, loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(poll())
    (change,) = area.look()
    assert (change.subject, change.before, change.after) == ("asyncio task poll", ABSENT, Held(task))
    assert (area.said(change), area.code) == ("pending", "PSA606")
    loop.run_until_complete(asyncio.sleep(0))
    assert not area.look()
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    (gone,) = area.look()
    assert (gone.subject, gone.key, gone.before, gone.after) == (change.subject, change.key, change.after, ABSENT)
    assert not area.look()


def test_several_tasks_are_told_apart_and_inner_functions_named(area: Tasks, loop: asyncio.AbstractEventLoop) -> None:
    async def inner() -> None:
        await poll()

    kept = [loop.create_task(coroutine) for coroutine in (inner(), poll(), poll(), asyncio.Event().wait())]
    loop.run_until_complete(asyncio.sleep(0))
    subjects = sorted(change.subject.rpartition(" ")[2] for change in area.look())
    own = test_several_tasks_are_told_apart_and_inner_functions_named.__name__
    assert subjects == ["Event.wait", "poll", "poll", f"{own}.inner"]
    kept[1].cancel()
    loop.run_until_complete(asyncio.sleep(0))
    assert len(area.look()) == 1


def test_a_task_that_is_destroyed_is_gone(area: Tasks, loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(poll())
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.run_until_complete(asyncio.sleep(0))
    assert len(area.look()) == 1
    gone = weakref.ref(task)
    loop.close()
    del task
    gc.collect()
    assert gone() is None
    assert [change.after for change in area.look()] == [ABSENT]


def test_on_a_closed_loop_it_is_pending_for_ever(loop: asyncio.AbstractEventLoop) -> None:
    area = Tasks(Taps(), STACK, by_loop=False)
    area.look()
    task = loop.create_task(poll())
    loop.run_until_complete(asyncio.sleep(0))
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.close()
    (change,) = area.look()
    assert area.said(change) == "pending for ever, on a closed loop"
    del task
    gc.collect()
    area.look()


def test_what_ends_its_tasks_is_silent(area: Tasks) -> None:
    async def main() -> None:
        asyncio.get_running_loop().create_task(poll())
        await asyncio.to_thread(int)

    asyncio.run(main())
    assert not area.look()


def test_a_librarys_tasks_are_its_own(area: Tasks, loop: asyncio.AbstractEventLoop) -> None:
    library = types.ModuleType("library")
    text = "import asyncio\nasync def keep(): await asyncio.Event().wait()"
    exec(compile(text, "/site-packages/library.py", "exec"), vars(library))
    kept = loop.create_task(library.keep())
    assert not area.look()
    assert not area.look()
    kept.cancel()


def test_tasks_from_before_are_nobodys(loop: asyncio.AbstractEventLoop) -> None:
    kept = loop.create_task(poll())
    area = Tasks(Taps(), STACK, by_loop=False)
    assert not area.look()
    assert not area.look()
    kept.cancel()


def test_a_moment_is_given_where_the_loop_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    area = Tasks(Taps(), STACK, by_loop=False)
    area.look()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    event = asyncio.Event()
    future = asyncio.run_coroutine_threadsafe(event.wait(), loop)
    while not (changes := area.look()):
        pass
    monkeypatch.setattr(patience.real, "sleep", lambda _: loop.call_soon_threadsafe(event.set))
    area.settle({changes[0].key})
    assert future.result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    area.look()


def test_no_patience_where_no_loop_runs(
    area: Tasks, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = loop.create_task(poll())
    assert len(area.look()) == 1
    monkeypatch.setattr(patience.real, "sleep", None)
    area.settle()
    task.cancel()


def test_asyncio_is_never_imported_by_us(area: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asyncio.tasks")
    assert not Tasks(Taps(), STACK).look()
    assert "asyncio.tasks" not in sys.modules


def test_a_task_of_another_make_is_left_alone(loop: asyncio.AbstractEventLoop) -> None:
    class Stranger:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    area = Tasks(Taps(), STACK, by_loop=False)
    area.look()
    stranger = Stranger()
    for name in ("_all_tasks", "_scheduled_tasks"):
        if hasattr(asyncio.tasks, name):
            getattr(asyncio.tasks, name).add(stranger)
    assert not area.look()
    assert not area.look()
