"""An asyncio task is still pending when the test or fixture that started it is over.

Nobody waits for it any more. On a loop that goes on it runs into the tests that come after, with their mocks and data;
on one that stands still or is closed it never ends, its `finally` blocks do not run, what it holds is not released, and
what went wrong in it is never raised.

Instead: `await` it, or cancel it and await it; `asyncio.TaskGroup` and `asyncio.run` do so by themselves, and so do the
loops of pytest-asyncio, anyio and `unittest.IsolatedAsyncioTestCase` when they are closed.

Tasks of a coroutine of an installed library are left to it. A task that the garbage collector has destroyed is Python's
own "Task was destroyed but it is pending!". With Python 3.14 only the tasks of the current loop can be listed.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import asyncio
import pytest

KEPT = []

async def poll():
    await asyncio.sleep(3600)

@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    for task in KEPT:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*KEPT, return_exceptions=True))
    loop.close()
    asyncio.set_event_loop(None)

def test_polls(loop):
    KEPT.append(loop.create_task(poll()))  # PSA606
    loop.run_until_complete(asyncio.sleep(0))
""",
)
GOOD = (
    """
import asyncio
import concurrent.futures
import unittest
import pytest

async def poll():
    await asyncio.sleep(3600)

async def work():
    return await asyncio.to_thread(int)

def test_run_cancels_what_is_left():
    async def main():
        asyncio.get_running_loop().create_task(poll())
        return await work()

    assert asyncio.run(main()) == 0

@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    task = loop.create_task(poll())
    yield loop
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    asyncio.set_event_loop(None)

def test_background_task_of_the_fixture(loop):
    assert loop.run_until_complete(work()) == 0

def test_cancelled(loop):
    task = loop.create_task(poll())
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))

def test_executor(loop):
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        assert loop.run_until_complete(loop.run_in_executor(executor, int)) == 0

class TestPolls(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.task = asyncio.create_task(poll())

    async def test_polls(self):
        self.assertFalse(self.task.done())
""",
)

CHECK = Check("PSA606", "async-left-pending", ADVISORY, __doc__ or "", BAD, GOOD, cwe=404)
