"""Mocks at work: what is noticed of them, and that nobody notices us."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import itertools
import pickle
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.mocks_at_work import MocksAtWork
from pytest_secaudit.watch.mocks_at_work.signatures import plain_function, refusal
from pytest_secaudit.watch.record import Noticed, SimulatedFailure
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

TEST = Actor("test", "tests/test_shop.py::test_shop", path="tests/test_shop.py", line=3)


class Shop:
    """What the product offers, and tests replace."""

    def check_signature(self, body: bytes, *, key: str = "") -> bool:
        return bool(body and key)

    @staticmethod
    def verify_token(token: str) -> bool:
        return bool(token)

    @classmethod
    def has_permission(cls, user: str) -> bool:
        return bool(user)

    def total(self) -> int:
        return 1


class Run:
    """A watch for which this file, and what `test` writes, are the tests."""

    def __init__(self, folder: Path) -> None:
        self.taps = Taps()
        self.who = TEST
        self.folder = folder
        self.stack = Stack(lambda path: path, lambda path: path == __file__ or path.startswith(str(folder / "test")))
        self.mocks = MocksAtWork(self.taps, self.stack, lambda: (self.who, False), self.source_of)
        self.numbers = itertools.count()

    def source_of(self, path: str) -> str:
        return Path(path).read_text("utf-8") if path else ""

    def test(self, body: str, *, passed: bool = True, name: str = "test_shop", **given: object) -> list[Noticed]:
        """Run it as the body of a test function in a file of its own."""
        lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
        path = self.folder / f"test_{next(self.numbers)}.py"
        path.write_text(f"from unittest import mock\nimport shop\nasync def nothing(): pass\ndef {name}(m):\n{lines}")
        module = types.ModuleType("test_shop")
        module.__dict__.update(given)
        try:
            exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
            module.__dict__[name](given.pop("m", None))
        finally:
            module.__dict__.clear()
            self.mocks.test_ends(self.who.id, passed=passed)
        return list(self.mocks.drain())

    def told(self, body: str, **more: object) -> list[tuple[str, int]]:
        """Codes, and lines of the body."""
        return [(found.code, found.place.line - 4) for found in self.test(body, **more) if found.place is not None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    shop = types.ModuleType("shop")
    shop.Shop = Shop  # type: ignore[attr-defined]
    exec(
        "def check_signature(body, *, key=''): return bool(body)\n"
        "def authorize(user, role=None): return user\n"
        "async def check_password(user, password): return True\n"
        "def total(): return 1\n",
        shop.__dict__,
    )
    monkeypatch.setitem(sys.modules, "shop", shop)
    made = Run(tmp_path)
    yield made
    made.taps.take_back()


# --- assertions that are none


@pytest.mark.parametrize(
    "line",
    [
        "m.asser_called_once()",
        "m.caled_once_with(1)",
        "m.called_once_wth(1, a=2)",
        "m.sub.awaited_once_wih(*[1])",
        "assert m.is_called",
        "assert m.was_called and m.x",
        "import unittest; unittest.TestCase().assertTrue(m.been_called, 'no')",
        "m.mock_calls[0].called_with(1)",
        "m.call_args.assert_called_once_with(1)",
        "assert m.call_args_list[0].called",
    ],
)
def test_a_made_up_assertion_is_noticed_at_its_line(run: Run, line: str) -> None:
    assert run.told(f"m = mock.MagicMock()\nm(1)\n{line}") == [("PSA002", 3)]


def test_what_is_said_of_it(run: Run) -> None:
    (found,) = run.test("charge = mock.Mock()\ncharge.asser_called_once_with(5)")
    assert found.message == (
        "charge.asser_called_once_with is no assertion of a mock, which takes any name and checks nothing"
    )
    assert found.fix == "use charge.assert_called_once_with(...)"
    assert found.subject == f"charge.asser_called_once_with in test_shop of {run.folder}/test_0.py"
    assert found.owner.id == TEST.id


def test_written_alike_twice_it_is_told_twice(run: Run) -> None:
    body = "m = mock.Mock()\nm.asser_called_once()\nm = mock.Mock()\nm.asser_called_once()"
    assert run.told(body) == [("PSA002", 2), ("PSA002", 4)]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a mock refuses them")
@pytest.mark.parametrize("name", ["called_once", "called_with", "not_called", "has_calls"])
def test_names_without_the_prefix_are_silent_up_to_3_11(run: Run, name: str) -> None:
    assert run.told(f"m = mock.Mock()\nm.{name}(1)") == [("PSA002", 2)]


def test_a_mock_that_allows_everything(run: Run) -> None:
    body = "m = mock.Mock(unsafe=True)\nm.assert_awaited_once\nm.assert_awaited()\nm.asert_called_once()\nm.asserts(1)"
    assert run.told(body) == [("PSA001", 2), ("PSA002", 3), ("PSA002", 4)]


@pytest.mark.parametrize(
    "body",
    [
        "m = mock.Mock()\nm.caled_with.return_value = 3\nassert m.caled_with() == 3\nm.caled_with()",
        "m = mock.Mock(is_called=True)\nassert m.is_called",
        "m = mock.Mock()\nm.is_called = True\nassert m.is_called",
        "m = mock.Mock(spec=['was_called', 'asser_called_once'])\nassert m.was_called\nm.asser_called_once()",
        "class Job:\n    def is_called(self): return 1\nm = mock.Mock(wraps=Job())\nassert m.is_called()",
        "class Job:\n    def was_called(self): return 1\nm = mock.create_autospec(Job)\nassert m.was_called",
        "m = mock.Mock()\nm.was_called()\nm.add_call(1)\nm.callback()\nassert m.get_calls()",
        "m = mock.Mock()\nresult = m.asser_called_once()\nshow = m.is_called",
        "m = mock.Mock()\nm(1)\nm.assert_called_once()\nm.assert_called_once_with(1)\nassert m.called and m.mock_calls",
        "m = mock.Mock()\nm.called_back(1)\nm.mock_calls == [mock.call.called_back(1)]\nmock.call.called_with(1)",
        "m = mock.Mock()\nm.go(m)\nm.call_args\nmock.call.go(1).called_with(2)\nassert m.go.call_args.args",
        "m = mock.Mock()\nsetattr(m, 'was_called', 1)\nassert m.was_called",
    ],
)
def test_what_is_meant_is_silent(run: Run, body: str) -> None:
    assert run.told(body) == []


def test_what_the_product_asks_for_is_silent(run: Run) -> None:
    def ask(job: mock.Mock) -> None: ...

    product = types.ModuleType("product")
    exec(
        compile("def ask(job):\n    job.asser_called_once()\n    assert job.is_called", "/srv/product.py", "exec"),
        product.__dict__,
    )
    assert run.told("m = mock.Mock()\nask(m)\nm.asser_called_once()", ask=product.ask) == []  # type: ignore[attr-defined]


def test_a_mock_of_an_own_class_and_an_async_one_and_another_thread(run: Run) -> None:
    body = """
class Own(mock.MagicMock):
    def __getattr__(self, name):
        return super().__getattr__(name)
Own().asser_called_once()
mock.AsyncMock().asser_awaited_once
async def go():
    await mock.AsyncMock().asser_awaited_once()
start(go())
def run():
    mock.Mock().asser_called_once_with(1)
thread(run)
"""

    def thread(function: object) -> None:
        started = threading.Thread(target=function)  # type: ignore[arg-type]
        started.start()
        started.join()

    assert run.told(body, start=asyncio.run, thread=thread) == [("PSA002", line) for line in (4, 7, 10)]


def test_a_sealed_mock_refuses_as_ever(run: Run) -> None:
    m = mock.Mock()
    mock.seal(m)
    with pytest.raises(AttributeError, match=r"mock\.asser_called"):
        m.asser_called()
    run.mocks.test_ends("", passed=True)
    assert run.mocks.drain() == ()


# --- expectations that are empty


@pytest.mark.parametrize(
    "line",
    [
        "m.assert_has_calls([])",
        "m.assert_has_calls(calls=(), any_order=True)",
        "m.assert_has_calls(list())",
        "expected = [one for one in ()]; m.assert_has_calls(expected)",
        "m.assert_has_calls(mock.Mock().mock_calls)",
    ],
)
def test_an_expectation_of_nothing(run: Run, line: str) -> None:
    assert run.told(f"m = mock.Mock()\nm(1)\n{line}") == [("PSA003", 3)]


def test_of_awaits_and_of_a_function_with_a_signature(run: Run) -> None:
    if "pytest_mock" not in sys.modules:  # it puts its own in front of what we listen to: left to reading
        assert run.told("m = mock.AsyncMock()\nm.assert_has_awaits([])") == [("PSA003", 2)]
    assert run.told("m = mock.create_autospec(len)\nm.assert_has_calls([])") == [("PSA003", 2)]


@pytest.mark.parametrize(
    "body",
    [
        "m = mock.Mock()\nm(1)\nm.assert_has_calls([mock.call(1)])",
        "m = mock.Mock()\nm(1)\nfor calls in [mock.call(1)], []:\n    m.assert_has_calls(calls)",
        "def check(calls):\n    mock.Mock().assert_has_calls(calls)\ncheck([])",
        "class Recorder:\n    def assert_has_calls(self, calls): pass\nRecorder().assert_has_calls([])",
    ],
)
def test_other_expectations_are_silent(run: Run, body: str) -> None:
    assert run.told(body) == []


def test_a_parameter_may_expect_nothing(run: Run) -> None:
    run.who = TEST._replace(id=f"{TEST.id}[none]")
    assert run.told("calls = []\nmock.Mock().assert_has_calls(calls)") == []
    assert run.told("mock.Mock().assert_has_calls([])") == [("PSA003", 1)]


def test_an_assertion_fails_as_ever(run: Run) -> None:
    with pytest.raises(AssertionError, match="Calls not found") as caught:
        mock.Mock().assert_has_calls([mock.call(1)])
    assert caught.value.__cause__ is None
    with pytest.raises(TypeError):
        mock.Mock().assert_has_calls()


# --- patchers that are thrown away


@pytest.mark.parametrize(
    "line",
    [
        "mock.patch('shop.total')",
        "mock.patch.object(shop, 'total', return_value=3)",
        "mock.patch.dict('os.environ', A='1')",
        "mock.patch.multiple('shop', total=1, authorize=2)",
        "patcher = mock.patch('shop.total'); del patcher",
        "patcher = mock.patch(\n        'shop.total')\npatcher = None",
    ],
)
def test_a_patcher_that_nobody_starts(run: Run, line: str) -> None:
    assert run.told(line) == [("PSA007", 1)]


@pytest.mark.parametrize(
    "body",
    [
        "with mock.patch('shop.total'): pass",
        "p = mock.patch('shop.total')\np.start()\np.stop()",
        "p = mock.patch.dict('os.environ')\np.start()\np.stop()",
        "with mock.patch.multiple('shop', total=1, authorize=2), mock.patch.dict('os.environ', A='1'): pass",
        "@mock.patch('shop.total')\ndef inner(m): pass\ninner()",
        "@mock.patch('shop.total')\ndef inner(m): pass",
        "@mock.patch.dict('os.environ')\ndef inner(): pass",
        "@mock.patch('shop.total')\nclass TestInner:\n    def test_it(self, m): pass\nTestInner().test_it()\ndel TestInner",
        "shop.kept = mock.patch('shop.total')",
        "for number in 1, 2:\n    p = mock.patch('shop.total')\n    if number == 2:\n        p.start()\n        p.stop()",
        "try:\n    with mock.patch('shop.missing'): pass\nexcept AttributeError: pass",
        "try: mock.patch(3)\nexcept TypeError: pass",
    ],
)
def test_patchers_that_are_used_or_kept(run: Run, body: str) -> None:
    assert run.told(body) == []


def test_a_test_that_did_not_pass_may_not_have_come_so_far(run: Run) -> None:
    assert run.told("p = mock.patch('shop.total')\ndel p", passed=False) == []
    assert run.told("mock.patch('shop.total')", passed=False) == [("PSA007", 1)]


def test_a_set_up_may_make_patchers_for_some_tests(run: Run) -> None:
    run.who = Actor("setup", "tests/test_shop.py::TestShop::setUp")
    assert run.told("p = mock.patch('shop.total')\ndel p") == []
    assert run.told("mock.patch('shop.total')") == [("PSA007", 1)]
    run.who = Actor("import", "tests/test_shop.py")
    assert run.told("mock.patch('shop.total')") == []


# --- calls that the original would have refused


def wrong(run: Run, body: str, **more: object) -> list[str]:
    return [found.message.partition(", and called ")[2] for found in run.test(body, **more) if found.code == "PSA802"]


def test_a_call_that_the_real_function_refuses(run: Run) -> None:
    body = "with mock.patch('shop.check_signature'):\n    shop.check_signature(b'secret', b'more')"
    (found,) = run.test(body)
    assert (found.code, found.security) == ("PSA802", "check_signature")
    assert found.subject == f"mock.patch('shop.check_signature') in test_shop of {run.folder}/test_0.py"
    assert found.message == (
        "check_signature is replaced by a mock, and called with 2 values: "
        "the real one refuses that, it takes at most 1 value"
    )
    assert found.place is not None
    assert found.place.line == 5


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("shop.check_signature()", "with no values: the real one refuses that, it needs body"),
        (
            "shop.check_signature(1, user=2)",
            "with 1 value and user: the real one refuses that, it has no parameter user",
        ),
        ("shop.check_signature(1, body=2)", "with 1 value and body: the real one refuses that, it is given body twice"),
        ("shop.check_signature(key=1)", "with key: the real one refuses that, it needs body"),
    ],
)
def test_how_it_is_called(run: Run, call: str, said: str) -> None:
    assert wrong(run, f"p = mock.patch('shop.check_signature')\np.start()\n{call}\np.stop()") == [said]


def test_methods_are_called_without_their_self(run: Run) -> None:
    for name in ("check_signature", "verify_token", "has_permission"):
        body = "with mock.patch.object(shop.Shop, '{0}'):\n    shop.Shop().{0}({1})"
        assert wrong(run, body.format(name, "1")) == []
        assert len(wrong(run, body.format(name, "1, 2, 3"))) == 1
    assert (
        wrong(run, "with mock.patch('shop.Shop.check_signature'):\n    shop.Shop.check_signature(shop.Shop(), 1)") == []
    )
    body = "job = shop.Shop()\nwith mock.patch.object(job, 'check_signature'):\n    job.check_signature({})"
    assert wrong(run, body.format("1")) == []
    assert len(wrong(run, body.format("job, 1"))) == 1


def test_decorators_and_coroutines(run: Run) -> None:
    body = "@mock.patch('shop.check_password')\ndef inner(m): shop.check_password(1).close()\ninner()"
    assert wrong(run, body) == ["with 1 value: the real one refuses that, it needs password"]


@pytest.mark.parametrize(
    "body",
    [
        "with mock.patch('shop.check_signature'):\n    shop.check_signature(1, key=2)",
        "with mock.patch('shop.check_signature'): pass",
        "with mock.patch('shop.total'):\n    shop.total(1, 2)",  # no security check
        "with mock.patch('shop.authorize', mock.Mock()):\n    shop.authorize()",  # it may stand for others, too
        "with mock.patch('shop.authorize', spec=len):\n    shop.authorize()",
        "with mock.patch('shop.authorize', autospec=True):\n    shop.authorize(1)",
        "with mock.patch('shop.authorize', new=lambda: 1):\n    shop.authorize()",
        "with mock.patch('shop.check_session', create=True):\n    shop.check_session()",
        "shop.check_role = len\nwith mock.patch('shop.check_role'):\n    shop.check_role()",
        "shop.check_role = wraps(shop.total)(lambda a: 1)\nwith mock.patch('shop.check_role'):\n    shop.check_role()",
    ],
)
def test_calls_that_are_right_or_nobody_can_tell(run: Run, body: str) -> None:
    assert wrong(run, body, wraps=functools.wraps) == []


def test_signatures_by_the_code_alone() -> None:
    def taken(function: object, *args: object, **kwargs: object) -> str:
        plain = plain_function(sys, function, is_local=True)
        assert plain is not None
        return refusal(plain, len(args), tuple(kwargs))

    calls = [
        ((), {}),
        ((1,), {}),
        ((1, 2), {}),
        ((1, 2, 3), {}),
        ((), {"a": 1}),
        ((1,), {"b": 1}),
        ((1,), {"c": 1}),
        ((), {"b": 1}),
    ]
    functions = [
        lambda: 1,
        lambda a: 1,
        lambda a, b=1: 1,
        lambda *a: 1,
        lambda **b: 1,
        lambda a, /, b: 1,
        lambda a, /, **b: 1,
        lambda a, *, b: 1,
        lambda a, *, b=1, c=2: 1,
        lambda *a, b: 1,
        lambda a=1, *b, c=2, **d: 1,
    ]
    for function, (args, kwargs) in itertools.product(functions, calls):
        try:
            function(*args, **kwargs)
        except TypeError:
            assert taken(function, *args, **kwargs), (inspect.signature(function), args, kwargs)
        else:
            assert not taken(function, *args, **kwargs), (inspect.signature(function), args, kwargs)


# --- simulated failures


def failures(run: Run, body: str, **more: object) -> list[tuple[str, bool]]:
    run.test(body, **more)
    return [(found.exception, found.raised) for found in run.mocks.drain_failures()]


def test_a_failure_that_nobody_ran_into(run: Run) -> None:
    run.test("with mock.patch('shop.total', side_effect=ValueError('no')):\n    pass")
    assert run.mocks.drain_failures() == (
        SimulatedFailure(f"{run.folder}/test_0.py", 5, TEST.id, "ValueError", raised=False),
    )
    assert run.mocks.drain_failures() == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("with mock.patch('shop.total') as m:\n    m.side_effect = KeyError", ("KeyError", False)),
        ("with mock.patch('shop.total', autospec=True) as m:\n    m.side_effect = KeyError", ("KeyError", False)),
        ("with mock.patch('shop.total') as m:\n    m.return_value.go.side_effect = OSError()", ("OSError", False)),
        (
            "with mock.patch('shop.total', autospec=True, side_effect=KeyError), suppress(KeyError): shop.total()",
            ("KeyError", True),
        ),
        (
            "with mock.patch('shop.total', side_effect=KeyError) as m:\n    reset(shop.total, m)",
            ("KeyError", True),
        ),
    ],
)
def test_failures(run: Run, body: str, expected: tuple[str, bool]) -> None:
    def reset(function: Callable[[], object], m: mock.Mock) -> None:
        with pytest.raises(KeyError):
            function()
        m.reset_mock()

    assert failures(run, body, suppress=suppress, reset=reset) == [expected]


def test_no_failures(run: Run) -> None:
    assert failures(run, "with mock.patch('shop.total', side_effect=[KeyError]): pass") == []
    assert failures(run, "with mock.patch('shop.total', side_effect=lambda: 1): pass") == []
    assert failures(run, "with mock.patch('shop.total'): shop.total()") == []
    assert failures(run, "with mock.patch('shop.total', side_effect=KeyError): pass", passed=False) == []


def test_what_was_patched_for_several_tests_is_not_this_ones(run: Run) -> None:
    run.test("shop.p = mock.patch('shop.total', side_effect=KeyError)\nshop.p.start()")
    assert failures(run, "shop.p.stop()") == []


# --- nobody notices us


def test_mocks_are_as_they_were(run: Run) -> None:
    m = mock.MagicMock(name="m")
    m.asser_called_once(1)
    assert m.mock_calls == [mock.call.asser_called_once(1)]
    assert repr(m.sub).startswith("<MagicMock name='m.sub' id=")
    assert isinstance(mock.Mock(spec=Shop), Shop)
    if "pytest_mock" not in sys.modules:  # it wraps it itself
        parameters = inspect.signature(mock.NonCallableMock.assert_has_calls).parameters
        assert list(parameters) == ["self", "calls", "any_order"]
    assert mock.NonCallableMock._get_child_mock.__qualname__ == "NonCallableMock._get_child_mock"
    assert "asser_called_once" in dir(m)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(mock.Mock())
    assert dir(mock.create_autospec(mock.Mock)) is not None
    made = ["additional_patchers", "attribute", "autospec", "create", "getter", "has_local", "kwargs", "new"]
    assert sorted(vars(mock.patch("shop.total"))) == [*made, "new_callable", "spec", "spec_set"]


def test_no_mock_and_no_patcher_is_held(run: Run) -> None:
    m = mock.MagicMock()
    m.asser_called_once()
    refs = [weakref.ref(m), weakref.ref(m.asser_called_once)]
    with mock.patch("shop.check_signature") as replaced:
        replaced.side_effect = KeyError
        refs.append(weakref.ref(replaced))
    patcher = mock.patch("shop.total")
    refs.append(weakref.ref(patcher))
    del m, replaced, patcher
    gc.collect()
    assert [ref() for ref in refs] == [None] * 4


def test_what_goes_wrong_with_us_is_no_affair_of_theirs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(run.stack, "of", fail)
    monkeypatch.setattr(run.stack, "kind", fail)
    m = mock.MagicMock()
    m.asser_called_once()
    m.assert_has_calls([])  # secaudit: ignore[PSA003] it is what we listen to
    with mock.patch("shop.check_signature") as check:
        assert sys.modules["shop"].check_signature() is check()
    assert run.mocks.drain() == ()


def test_a_mock_whose_child_is_made_by_hand(run: Run) -> None:
    class Own(mock.Mock):
        def _get_child_mock(self, /, **kw: object) -> object:
            return mock.MagicMock(**kw)

    assert type(Own().sub).__name__ == "MagicMock"


def test_a_backport_is_heard_once_it_is_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path(mock.__file__).read_text("utf-8")
    backport = types.ModuleType("mock.mock")
    backport.__file__ = mock.__file__
    exec(compile(text, mock.__file__, "exec"), backport.__dict__)
    monkeypatch.setitem(sys.modules, "mock.mock", backport)
    run.mocks.refresh()
    assert run.mocks.off == ""
    assert run.told("m = mock2.Mock()\nm.asser_called_once()\nmock2.patch('shop.total')", mock2=backport) == [
        ("PSA002", 2),
        ("PSA007", 3),
    ]
    assert failures(run, "with mock2.patch('shop.total', side_effect=KeyError): pass", mock2=backport) == [
        ("KeyError", False)
    ]


def test_somebody_elses_mock_module_is_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mock.mock", types.ModuleType("mock.mock"))
    run.mocks.refresh()
    assert run.mocks.off == ""
