"""A test polls for something that may never come true.

When the product is broken the loop never ends: instead of a failed test with a message there is a run
that hangs until somebody or the build server kills it, and nobody learns which test it was.

Instead: give the loop a deadline and fail with what was waited for, or wait for an event with a time-out.

Where pytest-timeout limits every test (its ini option or its command line), nothing is reported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, Check, Hit, Question
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, own_nodes, source_of, terminal_name
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.oracles import calls_in, is_assertion, nodes_of, skips
from pytest_secaudit.source.restores import fixtures_asked
from pytest_secaudit.source.sleeping import Sleep, sleeps
from pytest_secaudit.source.syntax import WITHS

BAD = (
    """
import time, asyncio, pytest

def test_job(job):
    while not job.done():  # PSA702
        time.sleep(0.1)
    assert job.result == 1

def test_forever(job):
    while True:  # PSA702
        if job.done():
            break
        time.sleep(0.1)

@pytest.fixture
async def server(app):
    while app.port is None:  # PSA702
        await asyncio.sleep(0.01)
    yield app

def wait_for_state(job, state):
    while job.state != state:  # PSA702
        time.sleep(1)

async def test_inner(job):
    async def wait_until_ready():
        while True:  # PSA702
            await asyncio.sleep(0.1)
            if job.ready:
                return
    await wait_until_ready()
""",
)
GOOD = (
    # bounded: deadline, counter, failure
    """
import time, pytest

def test_deadline(job):
    deadline = time.monotonic() + 5
    while not job.done() and time.monotonic() < deadline:
        time.sleep(0.1)

def test_inside(job):
    start = time.time()
    while not job.done():
        if time.time() - start > 5:
            break
        time.sleep(0.1)

def test_counter(job):
    n = 0
    while not job.done():
        n += 1
        if n == 50:
            break
        time.sleep(0.1)

def test_tries(job):
    tries = 50
    while tries and not job.done():
        tries = tries - 1
        time.sleep(0.1)

def test_fails(job):
    while not job.done():
        assert not job.failed
        time.sleep(0.1)

def test_raises(job):
    while not job.done():
        if job.failed:
            raise RuntimeError
        time.sleep(0.1)

def test_for(job):
    for _ in range(50):
        if job.done():
            break
        time.sleep(0.1)
""",
    # inside a time-out
    """
import asyncio, anyio, time, pytest

async def test_with(job):
    with anyio.fail_after(5):
        while not job.done():
            await anyio.sleep(0.1)

async def test_async_with(job):
    async with asyncio.timeout(5):
        while not job.done():
            await asyncio.sleep(0.1)

@pytest.mark.timeout(60)
def test_marked(job):
    while not job.done():
        time.sleep(0.1)

async def test_wait_for(job):
    async def wait_done():
        while not job.done():
            await asyncio.sleep(0.1)
    await asyncio.wait_for(wait_done(), 5)
""",
    """
import time, pytest

pytestmark = [pytest.mark.timeout(60)]

def test_marked(job):
    while not job.done():
        time.sleep(0.1)
""",
    # the test ends it: workers, servers
    """
import threading, time

def test_worker(stop):
    def run():
        while not stop.is_set():
            time.sleep(0.1)
    thread = threading.Thread(target=run)
    thread.start()
    stop.set()
    thread.join()

def serve(stop):
    while True:
        handle()
        time.sleep(0.1)

class Server:
    def run(self):
        while self.running:
            time.sleep(0.1)
""",
    # a child process or thread that ends on its own
    """
import time

def test_child(child, thread):
    while child.poll() is None:
        time.sleep(0.1)
    while thread.is_alive():
        time.sleep(0.1)
""",
    # the sleep is not real, or the subject
    """
import time
from unittest import mock

@mock.patch("time.sleep", side_effect=KeyboardInterrupt)
def test_patched(sleep, job):
    while not job.done():
        time.sleep(1)

def test_forever(job):
    while True:
        time.sleep(1)
""",
    # a loop over a finite thing
    """
import time

def test_drain(queue):
    items = [1, 2, 3]
    while items:
        queue.put(items.pop())
        time.sleep(0.1)
""",
)

_WAITS = re.compile(r"wait|poll|until|eventually|ready|settle|ensure_", re.IGNORECASE)
_BOUND = re.compile(
    r"time(d?_?out|out)|deadline|expir|elapsed|tries|retry|retries|attempt|count|max|remain|limit|iteration|budget|"
    r"monotonic|perf_counter|\btime$|^now$|utcnow|datetime|duration|^(start|end|begin|until|stop)(_?(time|ed|at))?$",
    re.IGNORECASE,
)
_TIME_LIMIT = re.compile(r"time_?out|fail_after|fail_at|move_on|wait_for|deadline|time_limit|alarm", re.IGNORECASE)
_ENDS_ALONE = frozenset(("is_alive", "isAlive", "poll"))


def rule(module: TestModule) -> Iterator[Hit]:
    seen: set[ast.AST] = set()
    for sleep in sleeps(module):
        loop = next(
            (
                node
                for node in sleep.scope.ancestors(sleep.call)
                if isinstance(node, (ast.While, ast.For, ast.AsyncFor))
            ),
            None,
        )
        if isinstance(loop, ast.While) and loop not in seen:
            seen.add(loop)
            if _is_polling(module, sleep.scope, loop) and not _is_bounded(module, sleep, loop):
                if not _replaces_sleep(module, sleep.scope):
                    yield _hit(module, sleep, loop)


def _hit(module: TestModule, sleep: Sleep, loop: ast.While) -> Hit:
    forever = isinstance(loop.test, ast.Constant)
    until = "" if forever else f": while {source_of(loop.test, 50)}"
    root = dotted_name(sleep.call.func).partition(".")[0]
    return Hit(
        loop,
        f"polls without an end in sight{until}",
        fix="add a deadline, and fail with what was waited for",
        unless=(
            Question("fixture-replaces", (sleep.function, *fixtures_asked(module, sleep.scope))),
            Question("rebound", (root, module.resolve(ast.Name(root, ast.Load()), sleep.scope))),
            Question("time-limit"),
        ),
    )


def _is_polling(module: TestModule, scope: Scope, loop: ast.While) -> bool:
    """On the test's own path, or in a function named like a wait; ``while True`` only if something ends it."""
    own_path = module.role(scope) in (Role.TEST, Role.FIXTURE, Role.SETUP, Role.TEARDOWN)
    if not own_path and not (scope.is_function and _WAITS.search(scope.name)):
        return False
    if isinstance(loop.test, ast.Constant):
        return any(isinstance(node, (ast.Break, ast.Return)) for node in nodes_of(loop.body))
    return not any(terminal_name(call.func) in _ENDS_ALONE for call in calls_in([loop.test]))


def _is_bounded(module: TestModule, sleep: Sleep, loop: ast.While) -> bool:
    scope = sleep.scope
    of_the_sleep = set(own_nodes(sleep.call.func))
    return (
        any(_bounds(node) for node in nodes_of([loop.test, *loop.body]) if node not in of_the_sleep)
        or any(_fails(module, scope, node) for node in nodes_of(loop.body))
        or _shrinks(loop)
        or _within_time_limit(module, scope, loop)
    )


def _bounds(node: ast.AST) -> bool:
    """A counter, or a name that speaks of a bound."""
    if isinstance(node, (ast.AugAssign, ast.NamedExpr)):
        return True
    name = terminal_name(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
    return bool(name) and bool(_BOUND.search(name))


def _fails(module: TestModule, scope: Scope, node: ast.AST, depth: int = 3) -> bool:
    """Whether a statement can end the test: it asserts, raises or skips, also in a helper of this file."""
    if isinstance(node, ast.Raise) or skips(node) or is_assertion(node):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = terminal_name(node.func)
    if name in ("fail", "exit", "_exit", "next", "pop", "popleft", "get_nowait", "result") or name.startswith("assert"):
        return True
    helper = module.definition(node.func, scope) if depth else None
    if helper is None or not helper.is_function or helper is scope:
        return False
    return any(_fails(module, helper, inner, depth - 1) for inner in nodes_of(helper.body))


def _shrinks(loop: ast.While) -> bool:
    """``while items: ... items.pop()``: a loop over what is there, and not a wait."""
    name = dotted_name(loop.test)
    return bool(name) and any(
        isinstance(call.func, ast.Attribute)
        and dotted_name(call.func.value) == name
        and call.func.attr in ("pop", "popleft", "remove")
        for call in calls_in(loop.body)
    )


def _within_time_limit(module: TestModule, scope: Scope, loop: ast.While) -> bool:
    for node in scope.ancestors(loop):
        if isinstance(node, WITHS) and any(
            _TIME_LIMIT.search(source_of(item.context_expr, 200)) for item in node.items
        ):
            return True
    around: Scope | None = scope
    while around is not None and around is not module.root:
        if any(_TIME_LIMIT.search(name) for name, _ in module.decorators(around)):
            return True
        around = around.enclosing
    if _is_called_with_limit(scope):
        return True
    return any(_marks_time_limit(holder) for holder in (module.root, scope.outermost.owner_class) if holder is not None)


def _is_called_with_limit(scope: Scope) -> bool:
    """``wait_for(wait_done(), 5)``: the function that holds the loop is run under a limit."""
    outer = scope.enclosing
    if outer is None:
        return False
    for inner in outer.within():
        for call in inner.calls:
            if terminal_name(call.func) == scope.name or any(
                terminal_name(argument) == scope.name for argument in call.args
            ):
                parents = (node for node in (call, *inner.ancestors(call)))
                for node in parents:
                    if (
                        isinstance(node, ast.Call)
                        and _TIME_LIMIT.search(terminal_name(node.func))
                        and node.func is not call.func
                    ):
                        return True
                    if (
                        node is call
                        and terminal_name(call.func) != scope.name
                        and _TIME_LIMIT.search(terminal_name(call.func))
                    ):
                        return True
                    if isinstance(node, WITHS) and any(
                        _TIME_LIMIT.search(source_of(item.context_expr, 200)) for item in node.items
                    ):
                        return True
    return False


def _marks_time_limit(holder: Scope) -> bool:
    return any(
        dotted_name(target) in ("pytestmark", "timeout")
        and (dotted_name(target) == "timeout" or "timeout" in source_of(node.value, 400))
        for node in holder.of(ast.Assign)
        for target in node.targets
    )


def _replaces_sleep(module: TestModule, scope: Scope) -> bool:
    """Whether the test around, its class or a set-up replaces the sleep."""
    inside = set(scope.outermost.within())
    decorators = {
        node
        for around in (scope.outermost, scope.outermost.enclosing)
        if around
        for _, node in module.decorators(around)
    }
    return any(
        resolved_target(module, replacement).endswith("sleep")
        and (
            replacement.scope in inside
            or replacement.call in decorators
            or module.role(replacement.scope.outermost) is Role.SETUP
        )
        for replacement in replacements(module)
    )


CHECK = Check("PSA702", "unbounded-poll", ADVISORY, __doc__, BAD, GOOD, rule, cwe=835)
