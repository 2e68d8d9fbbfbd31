"""The sleeps of the real libraries, each in a process of its own: monkey patching cannot be undone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

BEGIN = """
import sys, time, threading, warnings
warnings.simplefilter("ignore")
from pytest_secaudit.watch.clock import Clock
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps, original_of

MAIN = threading.get_ident()
ORIGINAL = time.sleep
taps = Taps()
stack = Stack(str, lambda path: False)
clock = Clock(taps, stack, lambda: ("a test", False))

def slept():
    return sorted((one.kind, one.calls) for one in clock.drain())
"""

GREEN = """
import {name}
clock.refresh()
{name}.sleep(0.01)
assert slept() == [("{name}", 1)], slept()

{patch}
clock.refresh()
time.sleep(0.01)
{name}.sleep(0)
assert slept() == [("{name}", 1)]

before = clock.seconds_total()
green = [{name}.spawn(time.sleep, 0.05) for _ in range(10)]
for one in green:
    one.{wait}()
assert [calls for _, calls in slept()] == [10]
assert 0.04 < clock.seconds_total() - before < 0.4, clock.seconds_total()

import threading
thread = threading.Thread(target=time.sleep, args=(0.01,))
thread.start()
thread.join()
assert slept() == [("{name}", 1)]

green = {name}.spawn(time.sleep, 60)
{name}.sleep(0.01)
green.kill()
found = clock.drain()
assert sum(one.calls for one in found) == 2 and sum(one.cut for one in found) == 1, found
assert sum(one.seconds for one in found) < 5

saved = time.sleep
taps.take_back()
assert time.sleep is original_of(saved), time.sleep
assert time.sleep.__module__.startswith("{name}")
saved(0.01)
assert slept() == []
"""

ASYNC = """
import asyncio, {names}
{name}.sleep  # loaded at the first use
clock.refresh()

async def main():
    await {name}.sleep(0.01)
    await {name}.sleep(0)
    async with {group}() as group:
        for _ in range(5):
            group.start_soon({name}.sleep, 0.05)
    with {name}.move_on_after(0.01):
        await {name}.sleep(60)

before = clock.seconds_total()
{run}
found = clock.drain()
assert {{one.kind for one in found}} == {{"{name}"}}, found
assert [sum(numbers) for numbers in zip(*((one.calls, one.cut) for one in found))] == [7, 1], found
assert sum(one.seconds_cut for one in found) < 5
assert 0.05 < clock.seconds_total() < 0.3
saved = {name}.sleep
taps.take_back()
assert {name}.sleep is original_of(saved)
"""

SCRIPTS = {
    "gevent": GREEN.format(name="gevent", patch="import gevent.monkey; gevent.monkey.patch_all()", wait="join"),
    "eventlet": GREEN.format(name="eventlet", patch="eventlet.monkey_patch()", wait="wait"),
    "trio": ASYNC.format(name="trio", names="trio", group="trio.open_nursery", run="trio.run(main)"),
    "trio-clock": """
import trio, trio.testing
clock.refresh()
trio.run(trio.sleep, 3600, clock=trio.testing.MockClock(autojump_threshold=0))
assert slept() == [] and clock.seconds_total() == 0
""",
    "anyio": ASYNC.format(name="anyio", names="anyio", group="anyio.create_task_group", run="anyio.run(main)"),
    "anyio-trio": ASYNC.format(
        name="anyio", names="anyio, trio", group="anyio.create_task_group", run="anyio.run(main, backend='trio')"
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_library(name: str) -> None:
    if importlib.util.find_spec(name.partition("-")[0]) is None:
        pytest.skip("not installed")
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + SCRIPTS[name]], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
