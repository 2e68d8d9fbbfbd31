"""A test writes to a list, dictionary or set of its module, and what it puts there stays.

The container is made once, when the module is imported. Every later test sees what this one has put in or
taken out: it passes or fails depending on what ran before it, and a security check may be run against a
token, a policy or a role that another test has left behind.

Instead: make the container in a fixture or in a function, so that each test gets its own; or let
`monkeypatch.setitem` or `unittest.mock.patch.dict` do the write, which take it back.

The finding is an advisory; it becomes a defect when a run has seen the container keep the change. The run looks at the
containers of the project's modules, too, and into instances that modules hold. Where no statement of the owner wrote,
but the project's own code, a container that has only grown is *info* in the project (it may be a cache) and an
*advisory* in a test module.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import Role, Scope, TestModule, own_nodes
from pytest_secaudit.source.containers import (
    Write,
    all_seen_through,
    containers_of,
    first_of_each_test,
    has_key,
    is_for_each_test,
    is_item,
    is_put_right,
    is_reset_elsewhere,
    module_path,
    names_leading_to,
    place_name,
    rebinds_oddly,
    replaced_names,
    writes,
    writes_within,
)

BAD = (
    """
import copy

CARTS = {"a": {"items": []}}
ADDRESS = "10.0.0.1"
HOST = {"ip": ADDRESS}
SEEN = []
TOKEN = dict(access_token="t", expires_at=0)
ORDER = {"id": 1, "lines": [{"sku": "x"}]}

def test_put(client):
    CARTS["b"] = {"items": ["apple"]}  # PSA104 advisory
    assert client.get("/carts").json() == CARTS

def test_seen(bus):
    bus.send("x")
    SEEN.append("x")  # PSA104 advisory
    assert bus.log == SEEN

def test_expired_token(session):
    TOKEN["expires_at"] = -1  # PSA104 advisory
    assert session.refresh(TOKEN)

def test_by_another_name(client):
    order = ORDER
    order["lines"][0]["sku"] = "y"  # PSA104 advisory
    order["id"] = 2
    assert client.post(order).ok

def test_missing_id(client):
    del ORDER["id"]  # PSA104 advisory
    assert client.post(ORDER).status_code == 400

def test_other_address(client):
    ADDRESS = "10.0.0.2"
    HOST["ip"] = ADDRESS  # PSA104 advisory
    assert client.connect(HOST)

class TestKept:
    def setup_method(self):
        self.order = ORDER
        self.copied = dict(ORDER)

    def test_kept(self, client):
        self.copied["id"] = 2
        self.order["id"] = 2  # PSA104 advisory
        assert client.post(self.order).ok

def test_read(client):
    assert client.post(ORDER).ok and client.login(TOKEN) and client.get(CARTS) and client.get(HOST) and not SEEN
""",
    """
import pytest

ROLES = ["reader"]

class TestRoles:
    def test_admin_may_delete(self, api):
        def grant():
            ROLES.append("admin")  # PSA104 advisory
        grant()
        assert api.delete(ROLES)

    def test_reader_may_not_delete(self, api):
        with pytest.raises(PermissionError):
            api.delete(ROLES)
""",
)
GOOD = (
    """
# shadowed names: not the module's
ITEMS = []
CONFIG = {"debug": False}

def test_local(client):
    ITEMS = []
    ITEMS.append(1)
    assert client.send(ITEMS)

def test_parameter(ITEMS):
    ITEMS.append(1)

def test_copy(client):
    config = dict(CONFIG)
    config["debug"] = True
    other = CONFIG.copy()
    other["debug"] = True
    assert client.send(config)

def test_slice(client):
    first = ITEMS[:2]
    first.append(3)
    assert client.send(first)

def test_read(client):
    assert client.send(CONFIG, ITEMS)
""",
    """
# reset at the start of each test that uses it
CALLS = {"n": 0}
LOG = []

def test_once(client):
    CALLS["n"] = 0
    LOG.clear()
    CALLS["n"] += 1
    LOG.append("x")
    assert client.send(CALLS)

def test_emptied(client):
    del LOG[:]
    LOG.append("y")
    assert client.send(LOG)
""",
    """
# what the test put in it takes out again
USERS = {"ann": 1}

def test_new_user(client):
    USERS["bob"] = 2
    try:
        assert client.get("bob")
    finally:
        USERS.pop("bob")

def test_put_back(client):
    before = USERS["ann"]
    USERS["ann"] = 3
    assert client.get("ann") == 3
    USERS["ann"] = before

def test_registered_cleanup(self):
    self.addCleanup(USERS.pop, "eve")
    USERS["eve"] = 3

def test_all(client):
    assert client.all() == USERS
""",
    """
# set-ups and fixtures that empty it, or write the same keys
import pytest

EVENTS = []
STATE = {"user": None}
SENT = []

@pytest.fixture(autouse=True)
def no_events():
    EVENTS.clear()
    yield

def setup_function(function):
    global SENT
    STATE["user"] = None
    SENT = []

def test_event(bus):
    EVENTS.append("x")
    STATE["user"] = "ann"
    SENT.append(1)
    assert bus.log == EVENTS, STATE

def test_no_event(bus):
    assert not EVENTS and not STATE["user"] and not SENT
""",
    """
# patched for the time of the test
from unittest import mock

FLAGS = {"beta": False}

@mock.patch.dict(FLAGS)
def test_decorated(client):
    FLAGS["beta"] = True
    assert client.beta()

def test_block(client):
    with mock.patch.dict(FLAGS, {"x": 1}):
        FLAGS["beta"] = True
        assert client.beta()

def test_monkeypatch(monkeypatch, client):
    monkeypatch.setitem(FLAGS, "beta", True)
    assert client.beta()

def test_off(client):
    assert not client.beta(), FLAGS
""",
    """
# made once, on purpose; registries and caches
DATA = {}
REGISTRY = {}
_cache = {}

def test_big(client):
    if "big" not in DATA:
        DATA["big"] = client.load()
    assert DATA["big"]

def test_class(client):
    REGISTRY["x"] = client
    _cache["x"] = 1
    assert client.known()

def test_more(client):
    assert client.known(DATA, REGISTRY, _cache)
""",
    """
# the test writes what is there already
import os
import sys

INITIATOR = "c55"
CONNECTOR = {"ip": "10.0.0.1", "wwpns": [INITIATOR], "ports": [{"n": 1}]}
ENV = dict(os.environ)
ENV["PYTHONPATH"] = os.pathsep.join(sys.path)

def test_connect(client):
    CONNECTOR["wwpns"] = [INITIATOR]
    CONNECTOR["ports"][0]["n"] = 1
    assert client.connect(CONNECTOR)

def test_path(client):
    env = ENV
    path = os.pathsep.join(sys.path)
    env["PYTHONPATH"] = path
    assert client.run(env)

def test_both(client):
    assert client.connect(CONNECTOR) and client.run(ENV)
""",
    """
# methods of something that is no container, and names that nobody else reads
import etcd

client = etcd.Client()
only_here = []

def test_client():
    client.update("/a", 1)
    client.remove("/a")
    only_here.append(1)
    assert only_here

def helper(items):
    items.append(1)
""",
)

_ON_PURPOSE = re.compile(r"regist|cache|memo|^__", re.IGNORECASE)


def rule(module: TestModule) -> Iterator[Hit]:
    containers = containers_of(module, module.root)
    if not containers:
        return
    for write in first_of_each_test(_leaking(module, containers)):
        yield _hit(module, write)


def _leaking(module: TestModule, containers: dict[str, ast.expr]) -> Iterator[Write]:
    names = names_leading_to(module, containers)
    for write in writes(module):
        if (write.root in names or not names.isdisjoint(write.steps)) and is_for_each_test(module, write):
            through = module.once(all_seen_through)[write]
            if through.root in containers and _is_shared(module, through) and _stays(module, through, containers):
                yield through


def _is_shared(module: TestModule, write: Write) -> bool:
    """The module's own object, or an item of it; not an attribute of something else of that name."""
    if module.binder(write.root, write.scope) is not module.root or _ON_PURPOSE.search(write.root):
        return False
    return all(map(is_item, write.steps)) and (write.how != "attribute" or bool(write.steps))


def _is_there_already(module: TestModule, write: Write, container: ast.expr) -> bool:
    """Whether the module's own code has put the same there, in the same words."""
    if write.how != "item" or write.value is None or not isinstance(write.key, ast.Constant):
        return False
    stored = [
        other
        for other in writes(module)
        if other.scope is module.root and other.how == "item" and other.is_same_place(write)
    ]
    before = max(stored, key=lambda other: getattr(other.node, "lineno", 0)).value if stored else None
    if not stored:
        before = _item(container, [*write.steps, f"[{write.key.value!r}]"])
    if before is None:
        return False
    meant = _in_words_of_the_module(module, write.value, write.scope)
    return meant is not None and ast.dump(meant) == ast.dump(before)


def _item(container: ast.expr | None, steps: list[str]) -> ast.expr | None:
    """What a display holds behind these keys."""
    for step in steps:
        pairs = list(zip(container.keys, container.values, strict=True)) if isinstance(container, ast.Dict) else []
        if isinstance(container, ast.List):
            pairs = [(ast.Constant(number), value) for number, value in enumerate(container.elts)]
        spread = any(key is None or isinstance(value, ast.Starred) for key, value in pairs)
        held = [value for key, value in pairs if isinstance(key, ast.Constant) and f"[{key.value!r}]" == step]
        if spread or not held:
            return None
        container = held[-1]
    return container


def _in_words_of_the_module(module: TestModule, value: ast.expr, scope: Scope, depth: int = 4) -> ast.expr | None:
    """The expression with local names replaced by what they are assigned; None where one may be anything."""
    unknown: list[str] = []

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            binder = module.binder(node.id, scope)
            if binder is None or binder is module.root or node.id in module.imported_names():
                return node
            known = module.value(node.id, scope) if depth else None
            meant = None if known is None else _in_words_of_the_module(module, known, binder, depth - 1)
            if meant is None or rebinds_oddly(module, binder, node.id):
                unknown.append(node.id)
                return node
            return meant

    replaced: ast.expr = Replace().visit(copy.deepcopy(value))
    return None if unknown else replaced


def _stays(module: TestModule, write: Write, containers: dict[str, ast.expr]) -> bool:
    if write.how == "remove" and not (has_key(containers[write.root], write.key) and not write.steps):
        return False
    if _is_there_already(module, write, containers[write.root]):
        return False
    mine = _about(module, write.root, writes_within(module, write.scope.outermost))
    if is_put_right(module, write, mine):
        return False
    every = _about(module, write.root, (other for other in writes(module) if other.root == write.root))
    if is_reset_elsewhere(module, write, every) or write.root in replaced_names(module):
        return False
    return not _is_made_anew(module, write.root) and _is_read_elsewhere(module, write)


def _about(module: TestModule, name: str, found: Iterator[Write] | tuple[Write, ...]) -> list[Write]:
    through = module.once(all_seen_through)
    seen = (through[write] for write in found)
    return [write for write in seen if write.root == name and module.binder(name, write.scope) is module.root]


def _is_made_anew(module: TestModule, name: str) -> bool:
    """A function binds the name again with ``global``."""
    return "global" in module.text and name in module.once(_globals)


def _globals(module: TestModule) -> frozenset[str]:
    """The names that functions bind with ``global``."""
    found: set[str] = set()
    for scope in module.functions():
        nodes = list(own_nodes(scope.node))
        declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        if declared:
            stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            found |= declared & stored
    return frozenset(found)


def _is_read_elsewhere(module: TestModule, write: Write) -> bool:
    """Whether anything but this test, and the places that make it, looks at the container."""
    return bool(module.once(_readers).get(write.root, set()) - {write.scope.outermost})


def _readers(module: TestModule) -> dict[str, set[Scope]]:
    """The module's containers, and the outermost functions that mention them."""
    containers = containers_of(module, module.root)
    found: dict[str, set[Scope]] = {}
    for scope in module.scopes:
        for node in own_nodes(scope.node):
            if isinstance(node, ast.Name) and node.id in containers and isinstance(node.ctx, ast.Load):
                found.setdefault(node.id, set()).add(scope.outermost)
    return found


def _hit(module: TestModule, write: Write) -> Hit:
    who = "each set-up" if module.role(write.scope.outermost) is Role.SETUP else "this test"
    what = f"loses what {who} takes out of it" if write.how == "remove" else f"keeps what {who} puts into it"
    return Hit(
        write.node,
        f"{write.root}, made once for the module, {what}",
        fix=f"make {write.root} in a fixture, or write with monkeypatch.setitem or mock.patch.dict",
        subject=place_name(f"{module_path(module)}.{write.root}", write),
    )


CHECK = Check("PSA104", "module-container-mutated", DEFECT, __doc__, BAD, GOOD, rule, suspected=ADVISORY)
