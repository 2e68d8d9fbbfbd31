"""A replacement of a product function sleeps, to force an order of events.

The test waits for real time inside code that the product calls. It is a common way to reproduce a
race, and it is fragile: on a busy machine the delays no longer overlap, the race does not take
place, and the test passes without having tested it. It also hides which function is critical
enough to be delayed.

Instead: let the replacement wait for an event that the other side sets, with a time-out, so that
the order is forced and not hoped for.

A fake that sleeps for a moment and then raises only keeps its caller from spinning: *info*.

A run measures how long each replacement delayed its callers, and whether two delays really overlapped. By itself it
finds functions of the tests that sleep when a mock calls them. Silent there: a function that the product calls though
no mock stands between them, unless its being put in place was read; and a sleep that is itself patched.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, INFO, Check, Hit
from pytest_secaudit.source import Scope, TestModule
from pytest_secaudit.source.acknowledgement import acknowledgement
from pytest_secaudit.source.mocks import Replacement, replaced_attributes, replacements, stand_in_function
from pytest_secaudit.source.sleeping import Sleep, is_never_called, sleeps

BAD = (
    """
import time
from unittest import mock

def test_race(orders):
    def slow(*args):
        time.sleep(1)

    with mock.patch("shop.orders.charge", side_effect=slow):  # PSA801
        orders.place()
""",
    """
import asyncio
import time
import fixtures

class TestEvacuate(Base):
    def test_race(self):
        def slow(*args):
            time.sleep(2)

        self.useFixture(
            fixtures.MockPatch(  # PSA801
                "shop.orders.charge",
                new=slow))

    async def test_refresh(self, monkeypatch, client):
        async def slow(*args):
            await asyncio.sleep(0.5)

        monkeypatch.setattr(client, "refresh", slow)  # PSA801
        client.session.post.side_effect = slow  # PSA801
""",
    """
import socket
import time

def _idle_then_timeout(*args):
    time.sleep(0.01)
    raise socket.timeout()

def test_consumer(connection, consumer):
    connection.drain_events.side_effect = _idle_then_timeout  # PSA801 info
    consumer.start()
    assert consumer.is_alive()

def test_overlap(orders, monkeypatch):
    # the sleep makes the two overlap
    def slow(*args):
        time.sleep(1)

    monkeypatch.setattr(orders, "charge", slow)  # PSA801 advisory
    orders.place()
""",
)
GOOD = (
    """
import asyncio
from unittest import mock

def test_yields(orders):
    async def charge(*args):
        await asyncio.sleep(0)

    with mock.patch("shop.orders.charge", side_effect=charge):
        orders.place()
""",
    """
import time
from unittest import mock

def wait():
    time.sleep(0)

def test_other_function_of_that_name(orders):
    def wait():
        return 1

    with mock.patch("shop.orders.charge", side_effect=wait):
        orders.place()

def helper():
    def wait():
        time.sleep(3)
    return wait
""",
    # "blocks until it is cancelled" and "never returns": nothing elapses
    """
import asyncio
import time
from unittest import mock

async def test_close_cancels(connector):
    async def delayed(*args):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            connector.log("cancelled")
            raise

    with mock.patch.object(connector.resolver, "resolve", delayed):
        task = asyncio.create_task(connector.connect())
        await connector.close()
        assert task.done()

def test_crash_while_migrating(server):
    def crash(*args):
        server.restart()
        time.sleep(1000000)

    with mock.patch.object(server.driver, "migrate", side_effect=crash):
        assert server.migrate() == "restarted"
""",
    # waits only when it is run against the real service
    """
import time

def test_real_service(client, monkeypatch):
    def create(*args):
        time.sleep(10 if is_real_service() else 0)

    monkeypatch.setattr(client, "create", create)
    assert client.keys() == []
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    slow: dict[Scope, Sleep] = {}
    for sleep in sleeps(module):
        if sleep.is_forever or sleep.is_cancelled or is_never_called(module, sleep.scope):
            continue
        slow.setdefault(sleep.scope, sleep)
    if not slow:
        return
    for replacement in replacements(module):
        for value in replacement.stand_ins():
            function = stand_in_function(module, replacement.scope, value)
            if function in slow:
                yield _hit(module, slow[function], replacement.call, replacement.scope, _target(replacement))
    for scope in module.scopes:
        for receiver, value in replaced_attributes(module, scope):
            function = stand_in_function(module, scope, value)
            if function in slow:
                yield _hit(module, slow[function], value, scope, receiver)


def _target(replacement: Replacement) -> str:
    return replacement.target or "a function"


def _hit(module: TestModule, sleep: Sleep, node: ast.AST, scope: Scope, target: str) -> Hit:
    return Hit(
        node,
        f"replaces {target} by {sleep.scope.name}, which sleeps {sleep.length}{' and raises' if sleep.is_throttle else ''}",
        fix="wait for an event with a time-out instead of a fixed delay",
        severity=INFO if sleep.is_throttle else None,
        acknowledged=acknowledgement(module, scope, node, sleep.scope),
    )


CHECK = Check("PSA801", "delay-injecting-mock", ADVISORY, __doc__, BAD, GOOD, rule)
