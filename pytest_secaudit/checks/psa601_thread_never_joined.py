"""A test starts a thread, timer or process and never waits for its end.

It goes on while the next tests run: it uses their mocks and their data, prints into their output, and
whatever goes wrong in it is blamed on them or on nobody.

Instead: `join` it with a time-out in a `finally` or a registered clean-up (`cancel` a timer first), or
use an executor in a `with` block.

A daemon thread is *info*: it at least cannot keep the process alive.

A run sees each thread that is started, timers included, and names it if it still runs when the scope of whoever started
it is over; one that is about to end is given a moment. Silent: workers of executors and pools, and threads that a
library keeps in the background. Of processes, and of what the run sees of them, PSA603 tells.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, INFO, Check, Hit, Question
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, own_nodes, source_of, terminal_name
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.restores import fixtures_asked

BAD = (
    """
import threading
from multiprocessing import Process
from threading import Thread, Timer

def test_worker(queue):
    worker = Thread(target=queue.run)  # PSA601
    worker.start()
    assert queue.size == 1

def test_anonymous(queue):
    threading.Thread(target=queue.run, name="q").start()  # PSA601
    assert ",".join(queue.names) == "q"

def test_many(queue):
    threads = [Thread(target=queue.run) for _ in range(3)]  # PSA601
    for thread in threads:
        thread.start()
    Timer(1, queue.put).start()  # PSA601
    child = Process(target=queue.run, daemon=True)  # PSA601 info
    child.start()
""",
    """
import threading, unittest

class TestServer(unittest.TestCase):
    def setUp(self):
        self.thread = threading.Thread(target=serve)  # PSA601 info
        self.thread.daemon = True
        self.thread.start()

    def test_answers(self):
        self.assertTrue(ask())
""",
)
GOOD = (
    # waited for, in all ways
    """
import threading
from concurrent import futures

def test_join():
    t = threading.Thread(target=work)
    t.start()
    t.join()

def test_cancel():
    timer = threading.Timer(5, work)
    timer.start()
    try:
        work()
    finally:
        timer.cancel()

def test_many():
    threads = []
    for n in range(3):
        threads.append(threading.Thread(target=work))
        threads[-1].start()
    for t in threads:
        t.join(5)

def test_event():
    done = threading.Event()
    threading.Thread(target=done.set).start()
    assert done.wait(5)

def test_queue(queue):
    threading.Thread(target=produce, args=(queue,)).start()
    assert queue.get(timeout=1) == 1

def test_alive():
    t = threading.Thread(target=work)
    t.start()
    while t.is_alive():
        work()

def test_helper():
    t = threading.Thread(target=work)
    t.start()
    wait_until_done()
""",
    # not started, or handed on
    """
import threading, pytest

def test_repr():
    assert "Thread" in repr(threading.Thread(target=work))

@pytest.fixture
def worker():
    t = threading.Thread(target=work)
    t.start()
    return t

def make():
    t = threading.Thread(target=work)
    t.start()
    return t

def test_handed(pool):
    t = threading.Thread(target=work)
    t.start()
    pool.adopt(t)
""",
    # the class waits; so does a clean-up
    """
import threading, unittest

class Base(unittest.TestCase):
    def tearDown(self):
        self.thread.join()

class TestServer(Base):
    def setUp(self):
        self.thread = threading.Thread(target=serve)
        self.thread.start()

class TestOther(unittest.TestCase):
    def test_one(self):
        t = threading.Thread(target=serve)
        self.addCleanup(t.join)
        t.start()

    def test_two(self):
        self.server.start()
        t = threading.Thread(target=self.server.serve_forever)
        t.start()
        self.server.shutdown()
""",
    # the base class is elsewhere: it may wait
    """
import threading
from tests.base import ServerCase

class TestServer(ServerCase):
    def setUp(self):
        self.thread = threading.Thread(target=serve)
        self.thread.start()
""",
    # nothing is really started
    """
import threading
from unittest import mock
from shop.fake import Thread

def test_fake():
    Thread(target=work).start()

@mock.patch("threading.Thread.start")
def test_patched(start):
    threading.Thread(target=work).start()

def test_replaced(monkeypatch):
    monkeypatch.setattr(threading, "Thread", Fake)
    threading.Thread(target=work).start()
""",
)

_MAKERS = {
    "threading.Thread": "thread",
    "threading.Timer": "timer",
    "multiprocessing.Process": "process",
    "multiprocessing.process.Process": "process",
}
_IN_TESTS = (Role.TEST, Role.SETUP, Role.FIXTURE)
#: What waits for the end of something, or for what is done at its end.
_WAITS = re.compile(
    r"^_*(join|join_?all|joined|cancel|terminate|kill|is_?alive|exitcode|result|acquire|as_completed|quit|"
    r"(wait|stop|shut_?down|finish|tear_?down|poll|until|eventually|retry|drain)\w*|\w*_(wait|stop|join|shutdown)|\w*(wait_for|until)\w*)$",
    re.IGNORECASE,
)
_QUEUE = re.compile(r"(^|_)q\d?$|queue|result|channel|pipe|conn|sock", re.IGNORECASE)
_PATH = re.compile(r"(^|\.)(path|posixpath|ntpath|sep)$")


def rule(module: TestModule) -> Iterator[Hit]:
    for call, scope in module.calls("Thread", "Timer", "Process"):
        kind = _MAKERS.get(module.resolve(call.func, scope))
        if kind and module.role(scope.outermost) in _IN_TESTS:
            yield from _unless_waited(module, scope, call, kind)


def _unless_waited(module: TestModule, scope: Scope, call: ast.Call, kind: str) -> Iterator[Hit]:
    handle = _handle(scope, call)
    if handle is None or not _is_started(module, scope, handle) or _is_handed_on(scope, handle):
        return
    if not _is_waited_for(module, scope, handle) and not _is_faked(module, scope):
        yield _hit(module, scope, call, kind, handle)


def _hit(module: TestModule, scope: Scope, call: ast.Call, kind: str, handle: str) -> Hit:
    daemon = _is_daemon(scope, call)
    full = module.resolve(call.func, scope)
    root = dotted_name(call.func).partition(".")[0]
    return Hit(
        call,
        f"{_named(scope, call, f'daemon {kind}' if daemon else kind, handle)} is started and its end is never waited for",
        fix=_fix(scope, call, kind, handle),
        severity=INFO if daemon else None,
        unless=(
            Question("fixture-replaces", (full, *fixtures_asked(module, scope))),
            Question("rebound", (root, module.resolve(ast.Name(root, ast.Load()), scope))),
        ),
    )


def _named(scope: Scope, call: ast.Call, kind: str, handle: str) -> str:
    """The user's name for it, else what it runs."""
    if handle:
        return f"each {kind} of {handle}" if _is_one_of_many(scope, call) else f"the {kind} {handle}"
    runs = [keyword.value for keyword in call.keywords if keyword.arg in ("target", "function")]
    runs = runs or call.args[1:2]
    return f"the {kind} that runs {source_of(runs[0], 40)}" if runs else f"the {kind}"


def _fix(scope: Scope, call: ast.Call, kind: str, handle: str) -> str:
    end = "cancel and join" if kind == "timer" else "join"
    if not handle:
        return f"keep it in a variable and {end} it with a time-out, in a finally or a clean-up"
    return f"{end} {'each of ' if _is_one_of_many(scope, call) else ''}{handle} with a time-out, in a finally or a clean-up"


def _is_one_of_many(scope: Scope, call: ast.Call) -> bool:
    return not isinstance(scope.parent(call), ast.Assign)


# --- what becomes of it


def _handle(scope: Scope, call: ast.Call) -> str | None:
    """``t``, ``self.t``, ``threads`` for a list of them, an empty string for ``Thread(...).start()``; None: handed on."""
    parent = scope.parent(call)
    if isinstance(parent, ast.Attribute):
        return "" if parent.attr == "start" else None
    if isinstance(parent, (ast.ListComp, ast.List)):
        parent = scope.parent(parent)
    if (
        isinstance(parent, ast.Call)
        and terminal_name(parent.func) == "append"
        and isinstance(parent.func, ast.Attribute)
    ):
        return dotted_name(parent.func.value) or None
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        return dotted_name(parent.targets[0]) or None
    return None


def _is_started(module: TestModule, scope: Scope, handle: str) -> bool:
    if not handle:
        return True
    return any(
        isinstance(part.func, ast.Attribute) and part.func.attr == "start" and "patch" not in dotted_name(part.func)
        for inner in _around(module, scope, handle)
        for part in inner.calls
    )


def _is_handed_on(scope: Scope, handle: str) -> bool:
    """Returned, yielded, stored elsewhere, or given to a function: somebody else may wait for it."""
    if not handle:
        return False
    for inner in scope.outermost.within():
        for node in own_nodes(inner.node):
            if (
                isinstance(node, (ast.Name, ast.Attribute))
                and isinstance(node.ctx, ast.Load)
                and dotted_name(node) == handle
            ):
                parent = inner.parent(node)
                if (
                    isinstance(parent, ast.Call)
                    and node is not parent.func
                    and terminal_name(parent.func) not in ("append", "len")
                ):
                    return True
                if isinstance(
                    parent, (ast.Return, ast.Yield, ast.Assign, ast.Dict, ast.Tuple, ast.List, ast.keyword, ast.Starred)
                ):
                    return True
    return False


def _is_waited_for(module: TestModule, scope: Scope, handle: str) -> bool:
    if handle.startswith("self.") and _has_unknown_base(module, scope):
        return True
    return any(_waits(node) for inner in _around(module, scope, handle) for node in own_nodes(inner.node))


def _waits(node: ast.AST) -> bool:
    """A name that waits: called, or handed to a clean-up."""
    if isinstance(node, ast.Name):
        return isinstance(node.ctx, ast.Load) and bool(_WAITS.match(node.id))
    if not isinstance(node, ast.Attribute):
        return False
    if node.attr in ("get", "recv", "read"):
        return bool(_QUEUE.search(terminal_name(node.value)))
    if node.attr == "join" and (
        isinstance(node.value, (ast.Constant, ast.JoinedStr)) or _PATH.search(dotted_name(node.value))
    ):
        return False
    return bool(_WAITS.match(node.attr))


def _around(module: TestModule, scope: Scope, handle: str) -> Iterator[Scope]:
    """The function; of its class what runs around it, or every method where the class holds the handle."""
    yield from scope.outermost.within()
    owner = scope.outermost.owner_class
    everything = handle.startswith(("self.", "cls."))
    for cls in module.lineage(owner):
        for child in cls.children:
            if child.is_function and (everything or module.role(child) in (Role.SETUP, Role.TEARDOWN, Role.FIXTURE)):
                yield from child.within()
    for child in module.root.children:
        if child.is_function and module.role(child) is Role.TEARDOWN:
            yield from child.within()


def _has_unknown_base(module: TestModule, scope: Scope) -> bool:
    """Whether a base class stands in another file, other than the ones that know nothing of threads."""
    owner = scope.outermost.owner_class
    for cls in module.lineage(owner):
        for base in getattr(cls.node, "bases", ()):
            inside = module.definition(base, cls.enclosing or module.root) is not None
            if not inside and terminal_name(base) not in ("TestCase", "IsolatedAsyncioTestCase", "object"):
                return True
            if (
                not inside
                and terminal_name(base) == "TestCase"
                and not module.resolve(base, module.root).startswith("unittest.")
            ):
                return True
    return False


def _is_daemon(scope: Scope, call: ast.Call) -> bool:
    if any(keyword.arg == "daemon" and not _is_false(keyword.value) for keyword in call.keywords):
        return True
    for inner in scope.outermost.within():
        for node in inner.of(ast.Assign):
            if any(isinstance(target, ast.Attribute) and target.attr == "daemon" for target in node.targets):
                return not _is_false(node.value)
        if any(terminal_name(part.func) == "setDaemon" for part in inner.calls):
            return True
    return False


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not value.value


def _is_faked(module: TestModule, scope: Scope) -> bool:
    """Whether the test, its class or a set-up replaces the thread or its ``start``."""
    inside = {*scope.outermost.within(), scope.outermost.enclosing, module.root}
    return any(
        re.search(
            r"(Thread|Timer|Process|threading|multiprocessing)(\.start|\.run)?$", resolved_target(module, replacement)
        )
        for replacement in replacements(module)
        if replacement.scope in inside or module.role(replacement.scope.outermost) in (Role.SETUP, Role.FIXTURE)
    )


CHECK = Check("PSA601", "thread-never-joined", ADVISORY, __doc__, BAD, GOOD, rule, cwe=404)
