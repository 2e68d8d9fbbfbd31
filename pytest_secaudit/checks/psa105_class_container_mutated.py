"""A test writes to a list, dictionary or set that belongs to its class, and what it puts there stays.

Each test gets an instance of its own, but `items = []` in the class body is made once and shared by all of them:
`self.items.append(...)` changes it for every later test of the class and of its subclasses.

Instead: make the container in `setUp`, `setup_method` or a fixture (`self.items = []`), so that each test starts
with its own.

The finding is an advisory; it becomes a defect when a run has seen the container keep the change. The run looks at the
containers of the project's classes, too; one that has only grown by the project's own code is *info*.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import Role, Scope, TestModule, parameter_names
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
    replaced_names,
    writes,
    writes_within,
)

BAD = (
    """
import unittest

class TestCart(unittest.TestCase):
    items = []
    prices: dict = {"apple": 1}
    payload = dict(user="ann", roles=["reader"])

    def test_add(self):
        self.items.append("apple")  # PSA105 advisory
        self.assertEqual(1, len(self.items))

    def test_price(self):
        self.prices["apple"] = 2  # PSA105 advisory

    def test_roles(self):
        payload = self.payload
        payload["roles"] = ["admin"]  # PSA105 advisory
        self.assertTrue(login(payload))

    def test_no_user(self):
        del TestCart.prices["apple"]  # PSA105 advisory
        self.assertFalse(login(self.payload))

class TestSearch(unittest.TestCase):
    cases = [("fox", True)]

    def setUp(self):
        self.cases.append(("dog", False))  # PSA105 advisory

    def test_search(self):
        self.assertTrue(search(self.cases))

class TestMore(TestCart):
    def test_more(self):
        type(self)
        self.items.extend(["pear"])  # PSA105 advisory
""",
    """
# what another class sets up is its own
import unittest

class TestBus(unittest.TestCase):
    def setUp(self):
        self.seen = []

    def test_bus(self):
        self.seen.append(1)

class TestOrders(unittest.TestCase):
    seen = []

    def test_order(self):
        self.seen.append("apple")  # PSA105 advisory
""",
)
GOOD = (
    """
# a set-up or a fixture gives each test its own
import copy
import unittest
import pytest

class TestSetUp(unittest.TestCase):
    items = []

    def setUp(self):
        self.items = []

    def test_add(self):
        self.items.append("apple")

class TestFixture:
    payload = {"user": "ann"}

    @pytest.fixture(autouse=True)
    def fresh(self):
        self.payload = copy.deepcopy(type(self).payload)

    def test_user(self):
        self.payload["user"] = "bob"

class TestEmptied:
    log = []

    def setup_method(self, method):
        self.log.clear()

    def test_log(self):
        self.log.append("x")

class TestTornDown(unittest.TestCase):
    log = []

    def tearDown(self):
        del self.log[:]

    def test_log(self):
        self.log.append("x")
""",
    """
# the test makes its own first, or puts right what it did
class TestOwn:
    items = []
    prices = {"apple": 1}

    def test_own(self):
        self.items = []
        self.items.append(1)

    def test_copy(self):
        prices = dict(self.prices)
        prices["apple"] = 2

    def test_taken_out(self):
        self.prices["pear"] = 2
        assert total(self.prices) == 3
        del self.prices["pear"]
""",
    """
# not the class's containers
from unittest import mock

class TestOther:
    codes = (1, 2)
    items = []

    def helper(self, items):
        items.append(1)

    def test_instance(self):
        self.other.append(1)
        self.client.items.append(1)

    @mock.patch.object(Registry, "items", [])
    def test_patched(self):
        Registry.items.append(1)

    def test_inner(self):
        class Fake:
            items = []
            def add(self):
                self.items.append(1)
        Fake().add()
""",
    """
# the double's own record: each test makes an instance of it, and it is no test class
class FakeClient:
    calls = []

    def get(self, url):
        self.calls.append(url)
""",
    """
# a test case that is itself the subject, made anew by a set-up
import unittest

class TestRunner(unittest.TestCase):
    class FailAfter(unittest.TestCase):
        count = []

        def test_foo(self):
            self.count.append(None)

    def setUp(self):
        TestRunner.FailAfter.count = []

class TestOnce(unittest.TestCase):
    cases = []
    users = {}

    @classmethod
    def setUpClass(cls):
        cls.cases.append(1)

    def setUp(self):
        self.users["ann"] = 1
        self.users.update(bob=2)

class TestThroughTheClass(unittest.TestCase):
    seen = []

    @classmethod
    def setUpClass(cls):
        cls.seen = []

    def test_seen(self):
        self.seen.append(1)
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    attributes = {name for containers in module.once(_class_containers).values() for name in containers}
    if not attributes:
        return
    found = dict(_leaking(module, attributes))
    for write in first_of_each_test(found):
        yield _hit(module, write, found[write])


def _leaking(module: TestModule, attributes: set[str]) -> Iterator[tuple[Write, Scope]]:
    names = names_leading_to(module, attributes)
    for write in writes(module):
        if (write.root in names or not names.isdisjoint(write.steps)) and is_for_each_test(module, write):
            through = module.once(all_seen_through)[write]
            owner = _class_of(module, through)
            if owner is not None and owner.enclosing is module.root and _stays(module, through, owner):
                yield through, owner


def _class_of(module: TestModule, write: Write) -> Scope | None:
    """The class of this file that holds the container which is written through ``self``, ``cls`` or its name."""
    if not write.steps or (write.how == "attribute" and len(write.steps) < 2) or not all(map(is_item, write.steps[1:])):
        return None
    cls = _receiver(module, write)
    for base in module.lineage(cls):
        if write.steps[0] in module.once(_class_containers).get(base, {}):
            return base
        if any(child.name == write.steps[0] for child in base.children):
            return None
    return None


def _receiver(module: TestModule, write: Write) -> Scope | None:
    binder = module.binder(write.root, write.scope)
    if binder is not None and binder.is_function and binder.enclosing is not None and binder.enclosing.is_class:
        parameters = parameter_names(binder.node)
        return binder.enclosing if parameters and parameters[0] == write.root else None
    found = module.definition(ast.Name(write.root, ast.Load()), write.scope)
    in_a_test = found is not None and any(module.role(child) is Role.TEST for child in found.children)
    return found if found is not None and found.is_class and in_a_test else None


def _class_containers(module: TestModule) -> dict[Scope, dict[str, ast.expr]]:
    return {scope: containers_of(module, scope) for scope in module.scopes if scope.is_class}


def _stays(module: TestModule, write: Write, owner: Scope) -> bool:
    name = write.steps[0]
    made = module.once(_class_containers)[owner][name]
    if write.how == "remove" and not (has_key(made, write.key) and len(write.steps) == 1):
        return False
    outer = write.scope.outermost
    mine = _about(module, name, writes_within(module, outer), write)
    if any(_rebinds(other, name) for other in mine) or is_put_right(module, write, mine):
        return False
    around = [other for other in _about(module, name, writes(module), write) if other.scope.outermost is not outer]
    return not (
        is_reset_elsewhere(module, write, around)
        or any(_rebinds(other, name) and module.role(other.scope.outermost) is not Role.TEST for other in around)
        or name in replaced_names(module)
    )


def _rebinds(write: Write, name: str) -> bool:
    return write.how == "attribute" and write.name == name


def _about(module: TestModule, name: str, found: tuple[Write, ...], about: Write) -> list[Write]:
    """The writes to an attribute of this name, or to what is in it; not those of a class that has nothing to do with it."""
    through = module.once(all_seen_through)
    seen = (through[write] for write in found)
    named = [write for write in seen if name in write.steps or (write.how == "attribute" and write.name == name)]
    cls = _receiver(module, about)
    return [write for write in named if cls is None or _may_be_of(module, write, cls)]


def _may_be_of(module: TestModule, write: Write, cls: Scope) -> bool:
    """Whether what a write starts from may be of this class, of a base of it or of one that is derived from it."""
    other = _receiver(module, write)
    if other is None and write.root not in ("self", "cls") and not write.steps:
        found = module.definition(ast.Name(write.root, ast.Load()), write.scope)
        other = found if found is not None and found.is_class else None
    return other is None or other in module.lineage(cls) or cls in module.lineage(other)


def _hit(module: TestModule, write: Write, owner: Scope) -> Hit:
    name = f"{owner.name}.{write.steps[0]}"
    who = "each set-up" if module.role(write.scope.outermost) is Role.SETUP else "this test"
    what = f"loses what {who} takes out of it" if write.how == "remove" else f"keeps what {who} puts into it"
    short = Write(write.node, write.scope, write.root, write.steps[1:], write.how, write.name, write.key, write.value)
    return Hit(
        write.node,
        f"{name}, made once for the class, {what}",
        fix=f"make it for each test: self.{write.steps[0]} = ... in a set-up",
        subject=place_name(f"{module_path(module)}.{owner.qualname}.{write.steps[0]}", short),
    )


CHECK = Check("PSA105", "class-container-mutated", DEFECT, __doc__, BAD, GOOD, rule, suspected=ADVISORY)
