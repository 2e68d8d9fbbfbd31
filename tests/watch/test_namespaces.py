"""What modules hold: what is seen of it, what is said, and what is none of the tests' doing."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from unittest import mock

import pytest

from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.namespaces import Namespaces
from pytest_secaudit.watch.namespaces.kinds import MOST_ENTRIES
from pytest_secaudit.watch.namespaces.tree import MOST_IN_A_MODULE
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change, Site
from pytest_secaudit.watch.tapping import Taps

SHOP = """
import collections, decimal, enum, functools, re, threading, types, weakref
from collections import UserDict, deque, defaultdict
from unittest import mock

LIMIT = 10
RATE = float("nan")
_cache = None
TABLE = {"a": 1, "b": [2], "c": {"d": {"e": {"f": 1}}}}
LOG = []
ROW = (1, {"a": 1})
TAGS = {"x"}
QUEUE = deque()
BY_CLASS = {int: "i"}
USERS = UserDict(a=1)
SPACE = types.SimpleNamespace(a=1)
MOCK = mock.Mock()
BORN = weakref.WeakValueDictionary()
PATTERN = re.compile("x")

class Own(dict):
    def items(self): raise RuntimeError("not asked")
    def __len__(self): raise RuntimeError("not asked")
    def __iter__(self): raise RuntimeError("not asked")

OWN = Own(a=1)

class Cart:
    kind = "cart"
    loaded = False
    items = []
    __registered__ = {}
    def __init__(self):
        self.size = 0
        self.lines = []
        self.deep = {"a": {"b": 1}}
    def total(self):
        return 1
    @functools.cached_property
    def worked_out(self):
        return object()
    class Line:
        price = 1

CART = Cart()

def make():
    def made(self):
        return make
    return made

Cart.made = make()
Cart.asked = property(make())

class Big(Cart):
    pass

class Same(Cart):
    kind = "cart"

class Slim:
    __slots__ = ("size",)

SLIM = Slim()
SLIM.size = 1

class Color(enum.Enum):
    RED = 1

LOCAL = threading.local()
LOCAL.user = None

def charge(amount, seen=[], *, more={}):
    return amount

def counted():
    pass
counted.calls = 0

@functools.lru_cache
def cached(x):
    return x

def inner(seen=[]):
    pass

@functools.wraps(inner)
def wrapper():
    pass
"""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., types.ModuleType]:
    def made(name: str, source: str, file: str = "") -> types.ModuleType:
        module = types.ModuleType(name)
        module.__file__ = file or f"/repo/{name}.py"
        monkeypatch.setitem(sys.modules, name, module)
        exec(source, vars(module))
        return module

    return made


@pytest.fixture
def area() -> Iterator[Namespaces]:
    made = Namespaces(
        Taps(),
        Stack(str, bool),
        lambda module: str(vars(module).get("__file__")).startswith("/repo/"),
        lambda path: path.removeprefix("/repo/") if path.startswith(("/repo/test", "/repo/conftest")) else "",
    )
    yield made
    made.stop()


@pytest.fixture
def shop(load: Callable[..., types.ModuleType], area: Namespaces) -> types.ModuleType:
    module = load("shop", SHOP)
    area.begin()
    return module


def told(area: Namespaces) -> list[tuple[str, str, str, str]]:
    return [(one.subject, area.code_of(one), area.said(one), area.level(one)) for one in area.look_far()]


CHANGES = [
    ("LIMIT = 3", ("shop.LIMIT", "PSA110", "at 3 (it was 10)", "")),
    ("LIMIT = True", ("shop.LIMIT", "PSA110", "at True (it was 10)", "")),
    ("LIMIT = 'secret'", ("shop.LIMIT", "PSA110", "at a str (it was 10)", "")),
    ("del LIMIT", ("shop.LIMIT", "PSA110", "removed", "")),
    ("fresh = 1", ("shop.fresh", "PSA110", "added, 1", "info")),
    ("_cache = object()", ("shop._cache", "PSA110", "at an object (it was None)", "advisory")),
    ("TABLE['z'] = 1", ("shop.TABLE['z']", "PSA104", "added, 1", "info")),
    ("TABLE['a'] = 2", ("shop.TABLE['a']", "PSA104", "at 2 (it was 1)", "")),
    ("TABLE['a'] = True", ("shop.TABLE['a']", "PSA104", "at True (it was 1)", "")),
    ("del TABLE['a']", ("shop.TABLE['a']", "PSA104", "removed", "")),
    ("TABLE['b'].append(3)", ("shop.TABLE['b']", "PSA104", "with one entry more", "info")),
    ("TABLE['b'][0] = 3", ("shop.TABLE['b']", "PSA104", "with other contents, a list of 1", "")),
    ("TABLE = {}", ("shop.TABLE", "PSA110", "with other contents", "")),
    ("LOG.append(1)", ("shop.LOG", "PSA104", "with one entry more", "info")),
    ("ROW[1]['a'] = 2", ("shop.ROW[1]['a']", "PSA104", "at 2 (it was 1)", "")),
    ("TAGS.add('y')", ("shop.TAGS", "PSA104", "with one entry more", "info")),
    ("TAGS.clear()", ("shop.TAGS", "PSA104", "with other contents, a set", "")),
    ("QUEUE.append(1)", ("shop.QUEUE", "PSA104", "with one entry more", "info")),
    ("BY_CLASS[str] = 's'", ("shop.BY_CLASS[str]", "PSA104", "added, a str", "info")),
    ("USERS['b'] = 2", ("shop.USERS.data['b']", "PSA104", "added, 2", "info")),
    ("SPACE.a = 2", ("shop.SPACE.a", "PSA110", "at 2 (it was 1)", "")),
    ("OWN['a'] = 2", ("shop.OWN['a']", "PSA104", "at 2 (it was 1)", "")),
    ("Cart.kind = 'x'", ("shop.Cart.kind", "PSA110", "replaced, another str", "")),
    ("Cart.items.append(1)", ("shop.Cart.items", "PSA105", "with one entry more", "info")),
    ("Cart.__registered__['a'] = 1", ("shop.Cart.__registered__['a']", "PSA105", "added, 1", "info")),
    ("Cart.Line.price = 2", ("shop.Cart.Line.price", "PSA110", "at 2 (it was 1)", "")),
    ("Cart.new = 1", ("shop.Cart.new", "PSA110", "added, 1", "info")),
    ("Cart.total = mock.Mock()", ("shop.Cart.total", "PSA501", "replaced by a Mock (it was a function)", "")),
    ("CART.size = 2", ("shop.CART.size", "PSA110", "at 2 (it was 0)", "")),
    ("CART.client = object()", ("shop.CART.client", "PSA110", "added, an object", "info")),
    ("CART.lines.append(1)", ("shop.CART.lines", "PSA104", "with one entry more", "info")),
    ("Cart.asked = property(counted)", ("shop.Cart.asked", "PSA110", "replaced, another property", "")),
    ("Big.kind = 'big'", ("shop.Big.kind", "PSA110", "added, a str", "info")),
    ("CART.is_open = True", ("shop.CART.is_open", "PSA110", "added, True", "info")),
    ("Cart.loaded = True", ("shop.Cart.loaded", "PSA110", "at True (it was False)", "info")),
    ("SLIM.size = 2", ("shop.SLIM.size", "PSA110", "at 2 (it was 1)", "")),
    ("del SLIM.size", ("shop.SLIM.size", "PSA110", "removed", "info")),
    ("LOCAL.user = 1", ("shop.LOCAL.user", "PSA110", "at 1 (it was None)", "")),
    ("charge.__defaults__[0].append(1)", ("shop.charge(seen)", "PSA104", "with one entry more", "info")),
    ("charge.__kwdefaults__['more']['a'] = 1", ("shop.charge(more)['a']", "PSA104", "added, 1", "info")),
    ("wrapper.__wrapped__.__defaults__[0].append(1)", ("shop.inner(seen)", "PSA104", "with one entry more", "info")),
    ("counted.calls += 1", ("shop.counted.calls", "PSA110", "at 1 (it was 0)", "info")),
    ("PATTERN = re.compile('y')", ("shop.PATTERN", "PSA110", "replaced, another Pattern", "")),
]


@pytest.mark.parametrize(("code", "expected"), CHANGES, ids=[code for code, _ in CHANGES])
def test_what_is_changed(shop: types.ModuleType, area: Namespaces, code: str, expected: tuple[str, ...]) -> None:
    exec(code, vars(shop))
    assert set(told(area)) == {expected}
    assert told(area) == []


@pytest.mark.parametrize(
    "code",
    [
        "LIMIT = int('10')",
        "RATE = float('nan')",
        "TABLE = {'a': 1, 'b': [2], 'c': {'d': {'e': {'f': 1}}}}",
        "TABLE['b'] = [2]",
        "LOG = []",
        "LOG.append(1); LOG.clear()",
        "CART = Cart()",
        "Cart.items = []",
        "TAGS = {'x'}",
        "CART.worked_out",
        "MOCK()",  # somebody's patch, which has a finding of its own if it stays
        "cached(1)",
        "BORN['a'] = Cart",
        "Color.BLUE = 2",
        "__warningregistry__ = {}",
        "Cart.__slotnames__ = []",
        "Cart.__annotations__ = {}",
        "Cart.tearDown_exceptions = []",
        "TABLE['c']['d']['e']['f'] = 2",  # deeper than it is looked
        "import types as submodule; submodule = types.ModuleType('shop.submodule')",
        "Cart.fresh = property(id); del Cart.fresh",
        "Big.kind = 'cart'",  # as it is inherited
        "del Same.kind",
        "CART.kind = 'cart'",
        "Cart.made = make(); Cart.asked = property(make())",
        "threading.Thread(target=setattr, args=(LOCAL, 'user', 3)).start()",
    ],
)
def test_what_is_no_change(shop: types.ModuleType, area: Namespaces, code: str) -> None:
    exec(code, vars(shop))
    assert told(area) == []


def test_data_of_tests_are_looked_into_deeper(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    module = load("test_shop", "DATA = {'a': {'b': {'c': {'d': 1}}}}", "/repo/tests/test_shop.py")
    area.begin()
    module.DATA["a"]["b"]["c"]["d"] = 2
    assert told(area) == [("tests.test_shop.DATA['a']['b']['c']['d']", "PSA104", "at 2 (it was 1)", "")]


def test_calls_of_the_mocks_of_a_test_module(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    module = load("test_it", "from unittest import mock\nSEND = mock.Mock()", "/repo/test_it.py")
    area.begin()
    module.SEND.asked_for  # noqa: B018 - to ask makes it
    assert told(area) == []
    module.SEND.later()
    assert told(area) == [("test_it.SEND.later", "PSA110", "added, a Mock", "advisory")]
    module.SEND()
    assert told(area) == [("test_it.SEND.call_count", "PSA110", "at 1 (it was 0)", "advisory")]


IMAGES = """
import datetime, decimal, uuid
from unittest import mock

class Images:
    def __init__(self):
        self.names = []
        self.store = mock.MagicMock()
        self.since = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
        self.price = decimal.Decimal("1.20")
        self.number = uuid.UUID(int=7)

IMAGES = Images()
"""


@pytest.mark.parametrize(
    ("told_to", "expected"),
    [
        ("", []),
        ("store()", ["shop.IMAGES"]),
        ("store.get(1)", ["shop.IMAGES"]),
        ("store.return_value = 1", ["shop.IMAGES"]),
        ("store.side_effect = OSError", ["shop.IMAGES"]),
        ("store.size = 1", ["shop.IMAGES"]),
        ("store = mock.Mock()", ["shop.IMAGES"]),
        ("since += datetime.timedelta(1)", ["shop.IMAGES"]),
        ("price = decimal.Decimal('1.2')", ["shop.IMAGES"]),
        ("number = uuid.UUID(int=8)", ["shop.IMAGES"]),
    ],
)
def test_one_value_or_untouched_mock_is_as_good_as_another(
    load: Callable[..., types.ModuleType], area: Namespaces, told_to: str, expected: list[str]
) -> None:
    shop = load("shop", IMAGES)
    area.begin()
    exec(f"IMAGES = Images()\n{told_to and 'IMAGES.'}{told_to}", vars(shop))
    assert [subject for subject, *_ in told(area)] == expected


def test_many_keys_are_one_container(shop: types.ModuleType, area: Namespaces) -> None:
    shop.TABLE.update(dict.fromkeys("vwxyz"))
    changes = list(area.look_far())
    assert {change.subject for change in changes} == {"shop.TABLE"}
    assert len({change.key for change in changes}) == 5


# --- who and where


def test_what_several_modules_hold_is_named_by_the_one_that_makes_it(
    load: Callable[..., types.ModuleType], area: Namespaces, tmp_path: Any
) -> None:
    defining = tmp_path / "registry.py"
    defining.write_text("HANDLERS = {}\n")
    source = "import sys; HANDLERS = sys.modules['shop.registry'].HANDLERS"
    area._modules._is_project = lambda module: module.__name__.startswith(("shop", "test_"))
    package = load("shop", "HANDLERS = None")
    load("shop.registry", "HANDLERS = {}", str(defining))
    exec(source, vars(package))
    load("test_it", source, "/repo/test_it.py")
    area.begin()
    area.attend(sys.modules["test_it"])
    package.HANDLERS["pdf"] = 1
    assert list(area.look_near()) == []
    assert [subject for subject, *_ in told(area)] == ["shop.registry.HANDLERS['pdf']"]


def test_a_near_look_sees_the_module_of_the_test_and_what_was_found_before(
    load: Callable[..., types.ModuleType], shop: types.ModuleType, area: Namespaces
) -> None:
    test = load("test_it", "LOG = []", "/repo/test_it.py")
    area.look()
    area.attend(test)
    test.LOG.append(1)
    shop.LIMIT = 3
    assert [change.subject for change in area.look_near()] == ["test_it.LOG"]
    assert [change.subject for change in area.look_far()] == ["shop.LIMIT"]
    shop.LIMIT = 4
    assert [change.subject for change in area.look_near()] == ["shop.LIMIT"]


def test_what_fell_out_of_focus_was_not_looked_at_all_the_time(
    load: Callable[..., types.ModuleType],
    shop: types.ModuleType,
    area: Namespaces,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pytest_secaudit.watch.namespaces.area._IN_FOCUS", 1)
    test, other = load("test_it", "LOG = []", "/repo/test_it.py"), load("other", "A = 1")
    owner = Actor("test", "test_it.py::test_it", path="test_it.py")
    area.look()
    test.LOG.append(1)
    (of_test,) = area.look_far()
    shop.LIMIT = 3
    (first,) = area.look_far()
    assert area.is_near(owner, first)
    other.A = 2
    (second,) = area.look_far()
    assert area.is_near(owner, second)
    shop.LIMIT = 4
    (again,) = area.look_far()
    assert not area.is_near(owner, again)
    assert not area.is_near(owner, second)
    assert area.is_near(owner, of_test)


def test_a_module_that_is_loaded_later_counts_from_then_on(
    load: Callable[..., types.ModuleType], shop: types.ModuleType, area: Namespaces
) -> None:
    later = load("later", "A = 1")
    area.look()
    assert told(area) == []
    later.A = 2
    assert [subject for subject, *_ in told(area)] == ["later.A"]
    load("later", "A = 5")
    area.look()
    assert told(area) == []


def test_an_import_by_others_is_not_looked_into(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    library = load("library", "A = 1", "/usr/lib/library.py")
    area.begin()
    library.A = 2
    assert told(area) == []


OWNERS = [
    ("test", "function", "test_it.py", True),
    ("fixture", "function", "test_it.py", False),
    ("setup", "class", "test_it.py", False),
    ("fixture", "module", "conftest.py", True),
    ("fixture", "session", "conftest.py", False),
    ("setup", "module", "test_it.py", False),
]


@pytest.mark.parametrize(("kind", "scope", "path", "is_harm"), OWNERS)
def test_whose_harm(
    load: Callable[..., types.ModuleType], area: Namespaces, kind: Any, scope: str, path: str, is_harm: bool
) -> None:
    module = load("test_it", "client = None", "/repo/test_it.py")
    area.begin()
    module.client = 1
    [change] = area.look_far()
    assert area.is_harm_of(Actor(kind, "x", scope=scope, path=path), change) is is_harm


def test_what_the_owner_itself_wrote_is_grave(shop: types.ModuleType, area: Namespaces) -> None:
    shop.LOG.append(1)
    [change] = area.look_far()
    assert area.level(change) == "info"
    assert area.level(Change(change.subject, change.before, change.after, Site())) == ""


# --- it leaves others alone


class Hostile:
    """Whatever is asked of it raises, and it notes that somebody asked."""

    __module__ = "shop"
    asked: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> Any:
        Hostile.asked.append(name)
        raise RuntimeError(name)

    def _refuse(self, *args: Any) -> Any:
        Hostile.asked.append("method")
        raise RuntimeError

    __eq__ = __hash__ = __len__ = __repr__ = __bool__ = __iter__ = __setattr__ = _refuse  # type: ignore[assignment]


def test_no_code_of_strangers_runs(shop: types.ModuleType, area: Namespaces) -> None:
    Hostile.asked.clear()
    vars(shop).update(ONE=Hostile(), TWO=[Hostile()], THREE={"a": Hostile()}, FOUR={Hostile: Hostile()})
    assert len(told(area)) == 4
    others = [Hostile(), Hostile(), Hostile()]
    for other in others:
        object.__setattr__(other, "size", 1)
    shop.ONE, shop.TWO[0], shop.THREE["a"] = others  # type: ignore[attr-defined]
    assert [subject for subject, *_ in told(area)] == ["shop.ONE", "shop.TWO", "shop.THREE['a']"]
    assert Hostile.asked == []


def test_what_is_replaced_is_not_kept_alive(shop: types.ModuleType, area: Namespaces) -> None:
    alive = [weakref.ref(shop.CART), weakref.ref(shop.Cart.Line), weakref.ref(shop.QUEUE)]
    shop.CART = shop.Cart.Line = shop.QUEUE = None
    gc.collect()
    assert [ref() for ref in alive] == [None, None, None]
    assert {subject for subject, *_ in told(area)} == {"shop.CART", "shop.Cart.Line", "shop.QUEUE"}


def test_another_object_at_the_same_address_is_another(shop: types.ModuleType, area: Namespaces) -> None:
    shop.LAST = object.__new__(type("Made", (), {}))
    told(area)
    for _ in range(50):
        shop.LAST = None
        shop.LAST = object.__new__(type("Made", (), {}))
        assert [subject for subject, *_ in told(area)] == ["shop.LAST"]


def test_what_is_very_large_is_counted(shop: types.ModuleType, area: Namespaces) -> None:
    shop.LOG.extend(range(MOST_ENTRIES + 1))
    told(area)
    assert area.too_large == ["shop.LOG"]
    shop.LOG[0] = "x"
    assert told(area) == []
    shop.LOG.append(1)
    assert told(area) == [("shop.LOG", "PSA104", "with one entry more", "info")]


def test_there_is_an_end_to_it(shop: types.ModuleType, area: Namespaces) -> None:
    shop.TABLE.update((n, [n] * 100) for n in range(MOST_IN_A_MODULE // 100 + 10))
    assert told(area)
    assert area.too_large


def test_cycles(shop: types.ModuleType, area: Namespaces) -> None:
    shop.LOG.append(shop.LOG)
    shop.TABLE["self"] = shop.TABLE
    assert len(told(area)) == 2
    shop.LOG.append(1)
    assert [subject for subject, *_ in told(area)] == ["shop.LOG"]


def test_a_stand_in_of_a_test_is_a_patch(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    shop = load("shop", "def charge(): pass")
    test = load("test_it", "def fake(): pass\nclass Fake: pass", "/repo/test_it.py")
    area.begin()
    shop.charge = test.fake
    assert [(subject, code) for subject, code, *_ in told(area)] == [("shop.charge", "PSA501")]
    shop.charge = test.Fake
    assert [(subject, code) for subject, code, *_ in told(area)] == [("shop.charge", "PSA501")]


def test_what_tests_set_in_other_modules(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    library = load("library", "def send(): pass\nsize = 1\n", "/usr/lib/library.py")
    load("shop", "import library")
    test = load("test_it", "def fake(): pass", "/repo/test_it.py")
    area.begin()
    library.size = 2
    library.send = test.fake
    found = {change.subject: change for change in area.look_far()}
    owner = Actor("test", "test_it.py::test_it", scope="function", path="test_it.py")
    assert area.code_of(found["library.send"]) == "PSA501"
    assert area.is_harm_of(owner, found["library.send"])
    assert not area.is_harm_of(owner, found["library.size"])  # it may have done it by itself


def test_what_tests_set_on_the_classes_of_mocks(area: Namespaces, monkeypatch: pytest.MonkeyPatch) -> None:
    area.begin()
    mock.MagicMock()()
    assert told(area) == []
    monkeypatch.setattr(mock.MagicMock, "calls", 1, raising=False)
    assert told(area) == [("unittest.mock.MagicMock.calls", "PSA504", "added, 1", "")]


PARAMETERS = """
import pytest
from unittest import mock

@pytest.mark.parametrize("order", [{"id": 1}, pytest.param({"id": 2}, id="two")])
def test_order(order): pass

@pytest.mark.parametrize("a,b", [pytest.param(2, {"c": 1})])
def test_two(a, b): pass

@pytest.fixture(params=[{"kind": "a"}])
def rule(request): return request.param

class TestIt:
    @mock.patch("os.getcwd", mock.Mock())
    @pytest.mark.parametrize(("a", "b"), [(1, {"c": 1})])
    def test_both(self, a, b): pass
"""


def test_parameters_of_tests_and_fixtures(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    """The names under which pytest keeps those of fixtures are private: this fails when they go away."""
    module = load("test_it", PARAMETERS, "/repo/test_it.py")
    area.begin()
    module.test_order.pytestmark[0].args[1][0]["id"] = 3
    module.test_order.pytestmark[0].args[1][1].values[0]["id"] = 3
    module.rule._fixture_function_marker.params[0]["kind"] = "b"
    module.TestIt.test_both.pytestmark[0].args[1][0][1]["c"] = 2
    module.test_two.pytestmark[0].args[1][0].values[1]["c"] = 2
    module.TestIt.test_both.patchings[0].new()
    order = "work on a copy: order = copy.deepcopy(order)"
    assert {change.subject: area.fix(change) for change in area.look_far()} == {
        "test_it.test_order(order)[0]['id']": order,
        "test_it.rule(params)[0]['kind']": "hand out a copy: copy.deepcopy(request.param)",
        "test_it.test_order(order)[1][0][0]['id']": order,
        "test_it.TestIt.test_both(a,b)[0][1]['c']": "work on a copy: b = copy.deepcopy(b)",
        "test_it.test_two(a,b)[0][0][1]['c']": "work on a copy of what a or b is: copy.deepcopy(...)",
        "test_it.TestIt.test_both.patchings[0].new.call_count": (
            "reset_mock() before each test, or let the decorator make it: without `new`, each call gets one of its own"
        ),
    }


def test_only_the_test_itself_gets_at_its_parameters(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    module = load("test_it", PARAMETERS, "/repo/test_it.py")
    area.begin()
    module.test_order.pytestmark[0].args[1][0]["id"] = 3
    module.rule._fixture_function_marker.params[0]["kind"] = "b"
    module.TestIt.test_both.pytestmark[0].args[1][0][1]["c"] = 2
    reach = {
        change.subject.partition("(")[0]: [
            actor for actor in ("it.py::test_order[a]", "it.py::test_orders[a]", "it.py::Sub::test_both[1]", "it.py::test_x")
            if area.can_reach(Actor("test", f"test_{actor}"), change)
        ]
        for change in area.look_far()
    }  # fmt: skip
    assert reach["test_it.test_order"] == ["it.py::test_order[a]"]
    assert reach["test_it.TestIt.test_both"] == ["it.py::Sub::test_both[1]"]
    assert len(reach["test_it.rule"]) == 4


def test_containers_of_the_interpreter_are_nobodys(load: Callable[..., types.ModuleType], area: Namespaces) -> None:
    source = "import sys\nA = sys.modules\nB = {'p': sys.path}\ndef f(x=sys.modules): pass\nC = {'sys': sys}"
    load("shop", source, "/repo/shop.py")
    area.begin()
    load("shop_late", "", "/repo/shop_late.py")
    load("pytest_secaudit.late", "", "/x/late.py")
    sys.path.append("/repo/shop")
    try:
        sys.modules["shop"].C["pytest_secaudit.late"] = sys
        assert told(area) == []
        sys.modules["shop"].B = {"p": sys.path}
        sys.modules["shop"].C["other"] = sys
        assert [subject for subject, *_ in told(area)] == ["shop.C['other']"]
    finally:
        sys.path.remove("/repo/shop")


def test_a_module_that_is_loaded_anew_is_one_hazard(shop: types.ModuleType, area: Namespaces) -> None:
    exec(SHOP, vars(shop))
    changes = list(area.look_far())
    assert {(change.subject, area.code_of(change), area.level(change)) for change in changes} == {
        ("shop", "PSA110", "")
    }
    assert "loaded anew" in area.said(changes[0])
    text = "def test_it():\n    importlib.reload(shop)\n"
    assert area.writing_lines(text, 1, changes[0]) == {2}


@pytest.mark.parametrize(
    ("value", "is_harm"), [("None", False), ("0", False), ("{}", False), ("3", True), ("[1]", True)]
)
def test_a_set_up_that_resets(shop: types.ModuleType, area: Namespaces, value: str, is_harm: bool) -> None:
    exec(f"LIMIT = {value}", vars(shop))
    [change] = area.look_far()
    owner = Actor("setup", "test_it.py::TestIt::setUp", scope="function", path="base.py")
    assert area.is_harm_of(owner, change) is is_harm


def test_what_a_test_module_has_of_its_own_is_no_stand_in(
    load: Callable[..., types.ModuleType], area: Namespaces
) -> None:
    source = "class View:\n    pass\nVIEW = View()\ndef handler(): pass\n"
    module = load("test_it", source, "/repo/test_it.py")
    area.begin()
    module.VIEW.cached = module.handler  # by the product, when it was asked for the first time
    assert told(area) == [("test_it.VIEW.cached", "PSA110", "added, a function", "info")]


def test_what_was_put_back_is_seen_by_looking_again_wherever_it_was(
    area: Namespaces, shop: types.ModuleType, load: Callable[..., types.ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"shop_{number}" for number in range(20)]  # more than are looked at with every stage
    others = [load(name, "LIMIT = 1") for name in names]
    area.look()
    for module in others:
        vars(module)["LIMIT"] = 2
    assert len(list(area.look_far())) == len(names)
    assert list(area.look_again()) == []
    vars(others[0])["LIMIT"] = 1
    [change] = area.look_again()
    assert change.subject == "shop_0.LIMIT"
    assert list(area.look_far()) == [], "it was seen already"
