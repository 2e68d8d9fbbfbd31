"""A test, set-up or fixture waits for real time to pass.

It makes the suite slow on every run, and on a busy machine the thing waited for may still not have
happened: the test then fails for no reason, or passes without having seen what it waits for.

Instead: wait for the event itself with a time-out, or hand the code a clock that the test moves.

A comment or docstring that explains the wait is respected: the finding becomes *info* and quotes it as
acknowledged. It stands behind the sleep, or above it and speaks of waiting, or of what takes its time.

A run measures the time that really passed, in `time.sleep` and in the sleeps of asyncio, trio, anyio, gevent and
eventlet, also of the code that a test calls; there it names the line of the test that led to it. What adds up to less
than 10 ms at a line of the tests, or to less than 100 ms in other code, is *info*. Silent: a sleep that is patched or
asks for less than a millisecond, waiting for an event, a lock, a queue or a program, and what sleeps in another thread,
unless it was read here. A task that is cancelled while it sleeps was waited for by nobody: that time does not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, INFO, Check, Hit, Question, Suspicion
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, parameter_names, terminal_name
from pytest_secaudit.source.acknowledgement import acknowledgement
from pytest_secaudit.source.mocks import names_used_as_stand_in, replacements, resolved_target
from pytest_secaudit.source.restores import fixtures_asked
from pytest_secaudit.source.sleeping import Sleep, is_never_called, sleeps

BAD = (
    """
import time as t
from time import sleep

def test_expiry(cache):
    cache.put("a", 1)
    t.sleep(2)  # PSA701
    assert cache.get("a") is None

def test_refresh(cache):
    cache.refresh()
    wait_a_bit()
    assert cache.get("a") == 1

def wait_a_bit():
    sleep(0.5)  # PSA701
""",
    """
import asyncio
import pytest

PAUSE = 0.1 * 3

@pytest.fixture
async def server():
    yield 1
    await asyncio.sleep(PAUSE)  # PSA701

class TestJobs:
    def setup_method(self):
        import time
        time.sleep(1)  # PSA701

    async def test_retry(self):
        async def later():
            await asyncio.sleep(0.2)  # PSA701
        await later()

async def test_reads_its_own_generator(feed):
    async def numbers():
        yield 1
        await asyncio.sleep(0.2)  # PSA701
        yield 2
    assert [number async for number in numbers()] == [1, 2]
""",
    """
import time

def test_acknowledged(queue):
    # the broker needs a moment to notice the lost connection
    time.sleep(1)  # PSA701 info
    assert queue.empty()

def test_acknowledged_above(queue):
    # A sleep is a compromise here, but it keeps the reproduction stable.
    queue.put(1)
    queue.put(2)
    queue.put(3)
    queue.put(4)
    time.sleep(1)  # PSA701 info
""",
    # comments and docstrings about something else
    """
import asyncio
import time

def test_a_comment_about_the_line_below(client):
    # Get the current user
    time.sleep(1)  # PSA701
    assert client.user == "me"

def test_server_stops(server):
    "The server waits for the event before it closes the connection."
    server.send("x")
    time.sleep(2.5)  # PSA701
    assert not server.open

async def test_delayed(queue):
    "A delayed task can be revoked."
    task = queue.put("x", delay=1)
    await asyncio.sleep(1)  # PSA701
    assert task.revoked
""",
    """
import asyncio
import time

def settle():
    '''The broker confirms late.

    A fixed delay covers the slowest one
    that we have seen.
    '''
    time.sleep(1)  # PSA701 info

def test_confirmed(queue):
    settle()
    assert queue.confirmed

async def test_expiry_waits_for_the_clock(cache):
    "Wait for real time: the cache is a C extension."
    await asyncio.sleep(2)  # PSA701 info
    assert cache.get("a") is None

async def test_numbers(feed):
    async def numbers():
        for number in range(3):
            await asyncio.sleep(0.2)  # PSA701
            feed.put(number)
    await numbers()
""",
)
GOOD = (
    """
from anyio import create_task_group, sleep

async def test_a_sibling_cancels_it(cancel_soon):
    async with create_task_group() as group:
        group.start_soon(cancel_soon, group)
        await sleep(1)
        assert False, "not reached"
""",
    """
import time

def test_the_time_out_comes_first(channel, monkeypatch):
    monkeypatch.setattr(channel, "open", lambda: time.sleep(100))
    channel.call(timeout=0.5)
""",
    """
import asyncio, time

async def test_yields():
    await asyncio.sleep(0)
    time.sleep(0.001)

def helper(delay):
    time.sleep(delay)
""",
    """
import time
from unittest import mock

@mock.patch("time.sleep")
def test_patched(sleep):
    time.sleep(5)

def test_patched_inside(mocker):
    mocker.patch("time.sleep")
    time.sleep(5)

def test_patched_by_monkeypatch(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda s: None)
    time.sleep(5)
""",
    """
import time
from freezegun import freeze_time

@freeze_time("2020-01-01")
def test_frozen():
    time.sleep(5)
""",
    """
import trio, trio.testing

async def test_autojump(autojump_clock):
    await trio.sleep(5)
""",
    """
import asyncio, pytest, time

async def test_never_elapses():
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)

async def test_cancelled():
    async def forever():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise
    task = asyncio.create_task(forever())
    task.cancel()

def test_blocks_until_it_is_killed(spawn):
    def block():
        time.sleep(1000000)
    block()

async def test_wait_for():
    await asyncio.wait_for(asyncio.sleep(10), timeout=0.1)
""",
    """
import time

app = make()

@app.task
def slow():
    time.sleep(3)

def test_slow_handler():
    @app.route("/")
    def handler():
        time.sleep(3)

class SlowServer:
    def handle(self):
        time.sleep(3)
""",
    """
import time

def test_poll(job):
    while not job.done():
        time.sleep(0.1)
    for _ in range(50):
        if job.done():
            break
        time.sleep(0.1)
""",
    """
import time

class FakeTime:
    def sleep(self, seconds):
        pass

def test_shadowed(time):
    time.sleep(3)
""",
    # nothing calls it: it was a test once
    """
import pytest
import time

class TestPool:
    def x_apply(self):
        result = self.pool.apply_async(work)
        time.sleep(0.5)
        assert result.ready()

    def test_limit(self):
        assert self.pool.limit == 2

@pytest.mark.xfail
async def xtest_two_connections(proxy):
    async def request(pid):
        time.sleep(0.2)
    await request(1)
    await request(2)
""",
    # a body that is sent piece by piece: the response may come before the next piece
    """
import asyncio

async def test_early_response(client):
    async def body():
        for _ in range(2):
            yield b"data"
            await asyncio.sleep(0.1)
    async with client.put("/", data=body()) as response:
        assert response.status == 200
""",
    # waits only when it is run against the real service
    """
import time

def test_key(client):
    client.create_key()
    time.sleep(10 if is_real_service() else 0)
    assert client.keys() == ["key"]
""",
    # a fake that would spin otherwise
    """
import socket, time

def _idle_then_timeout(*args):
    time.sleep(0.01)
    raise socket.timeout()

def test_consumer(connection, consumer):
    connection.drain_events.side_effect = _idle_then_timeout
    consumer.start()
    assert consumer.is_alive()
    consumer.stop()
""",
    # long enough to say: until it is stopped
    """
import time

def test_stop(spawn):
    def block():
        time.sleep(600)
    block()
""",
)

_CLOCK_MARKS = re.compile(
    r"freez|time_machine|travel|autojump|fake_?(time|clock|sleep)|mock_?(time|clock|sleep)|no_?sleep|patch_?sleep"
)
_CUTS_SHORT = re.compile(r"raises|timeout|fail_after|move_on|wait_for|cancel", re.IGNORECASE)
#: A sibling task may cancel what sleeps in the body of such a block.
_TASK_GROUP = re.compile(r"task_?group|nursery", re.IGNORECASE)


def rule(module: TestModule) -> Iterator[Hit | Suspicion]:
    candidates = list(sleeps(module))
    if not candidates or _module_replaces_sleep(module):
        return
    stand_ins = names_used_as_stand_in(module)
    for sleep in candidates:
        if _is_suspected(module, sleep, stand_ins):
            yield _hit(module, sleep)
        elif said := acknowledgement(module, sleep.scope, sleep.call):
            yield Suspicion(sleep.call, "", "slept", said)  # if it does sleep, the author has said why


def _is_suspected(module: TestModule, sleep: Sleep, stand_ins: set[Scope]) -> bool:
    if not _on_the_tests_path(module, sleep.scope, stand_ins) or sleep.parametrised:
        return False
    is_fake = sleep.is_throttle and sleep.scope in stand_ins
    return not is_fake and _elapses(module, sleep) and not is_never_called(module, sleep.scope)


def _hit(module: TestModule, sleep: Sleep) -> Hit:
    said = acknowledgement(module, sleep.scope, sleep.call)
    root = dotted_name(sleep.call.func).partition(".")[0]
    return Hit(
        sleep.call,
        f"sleeps {sleep.length} of real time",
        fix="wait for the event itself with a time-out, or inject the clock",
        severity=INFO if said else None,
        acknowledged=said,
        unless=(
            Question("fixture-replaces", (sleep.function, *fixtures_asked(module, sleep.scope))),
            Question("rebound", (root, module.resolve(ast.Name(root, ast.Load()), sleep.scope))),
        ),
    )


def _on_the_tests_path(module: TestModule, scope: Scope, stand_ins: set[Scope]) -> bool:
    """Whether the function runs as part of a test: not a handler that is the subject of one."""
    if scope in stand_ins:
        return True
    if not scope.is_function:
        return False
    role = module.role(scope)
    if role in (Role.TEST, Role.FIXTURE, Role.SETUP, Role.TEARDOWN):
        return True
    if list(module.decorators(scope)):
        return False
    owner = scope.enclosing
    if owner is not None and owner.is_class:
        return any(module.role(child) is not Role.HELPER for child in owner.children if child.is_function)
    if scope.outermost is scope:
        return True
    return owner is not None and _calls_by_name(owner, scope.name) and not _is_handed_on(scope, owner)


def _calls_by_name(scope: Scope, name: str) -> bool:
    return any(isinstance(call.func, ast.Name) and call.func.id == name for call in scope.calls)


def _is_handed_on(scope: Scope, owner: Scope) -> bool:
    """Whether it is an async generator that somebody else runs: what reads it may stop before the sleep."""
    if not isinstance(scope.node, ast.AsyncFunctionDef) or not scope.of(ast.Yield):
        return False
    read_here = [loop.iter for inner in owner.within() for loop in inner.of(ast.AsyncFor)]
    read_here += [loop.iter for inner in owner.within() for loop in inner.of(ast.comprehension)]
    return not any(isinstance(read, ast.Call) and terminal_name(read.func) == scope.name for read in read_here)


def _elapses(module: TestModule, sleep: Sleep) -> bool:
    scope = sleep.scope
    return not (
        sleep.is_forever
        or sleep.is_cancelled
        or _clock_is_moved(module, scope)
        or _replaces_sleep(module, scope)
        or _cut_short(scope, sleep.call)
    )


def _cut_short(scope: Scope, call: ast.Call) -> bool:
    """In a loop that ends early, or inside a block that never lets the sleep come to its end."""
    for node in scope.ancestors(call):
        if isinstance(node, (ast.While, ast.AsyncFor)):
            return True
        if isinstance(node, ast.For) and any(isinstance(inner, (ast.Break, ast.Return)) for inner in ast.walk(node)):
            return True
        if isinstance(node, (ast.With, ast.AsyncWith)) and any(_cuts(item.context_expr) for item in node.items):
            return True
        if isinstance(node, ast.Call) and _CUTS_SHORT.search(terminal_name(node.func)):
            return True
    return False


def _cuts(context: ast.expr) -> bool:
    name = terminal_name(context.func) if isinstance(context, ast.Call) else terminal_name(context)
    return any(pattern.search(name) for pattern in (_CUTS_SHORT, _CLOCK_MARKS, _TASK_GROUP))


def _clock_is_moved(module: TestModule, scope: Scope) -> bool:
    around: Scope | None = scope
    while around is not None and around is not module.root:
        if any(_CLOCK_MARKS.search(name) for name, _ in module.decorators(around)):
            return True
        if around.is_function and any(_CLOCK_MARKS.search(name) for name in parameter_names(around.node)):
            return True
        around = around.enclosing
    return False


def _replaces_sleep(module: TestModule, scope: Scope) -> bool:
    """Whether the test around, or its class, replaces a sleep function."""
    outer = scope.outermost
    inside = set(outer.within())
    decorated = {outer, outer.enclosing}
    for replacement in replacements(module):
        if not resolved_target(module, replacement).endswith(("sleep", ".time", "asyncio")):
            continue
        if replacement.scope in inside:
            return True
        if any(replacement.call is node for s in decorated if s for _, node in module.decorators(s)):
            return True
    return False


def _module_replaces_sleep(module: TestModule) -> bool:
    """An autouse fixture or a set-up of this file replaces a sleep function for all."""
    return any(
        resolved_target(module, replacement).endswith("sleep")
        and (
            module.role(replacement.scope.outermost) is Role.SETUP
            or (
                module.role(replacement.scope.outermost) is Role.FIXTURE
                and module.is_autouse(replacement.scope.outermost)
            )
        )
        for replacement in replacements(module)
    )


CHECK = Check("PSA701", "real-sleep", ADVISORY, __doc__, BAD, GOOD, rule)
