"""Every way in which test code writes process state or what it imported, and what is no such write."""

from __future__ import annotations

import pytest

from pytest_secaudit.source import TestModule
from pytest_secaudit.source.changes import CWD, ENVIRON, Place, changes

IMPORTS = """
import gc, importlib, locale, logging, operator, os, signal, sys, time
import shop.orders
from os import environ as env, chdir
from shop import orders as o
from . import near
KEY = "K"
"""


def places(statement: str, parameters: str = "") -> list[str]:
    source = f"{IMPORTS}\ndef test_it({parameters}):\n    {statement}\n"
    return sorted(change.place.name for change in changes(TestModule("tests/test_it.py", source)))


WRITES = {
    "os.environ['A'] = '1'": "os.environ['A']",
    "env['A'] = '1'": "os.environ['A']",
    "os.environ[KEY] = '1'": "os.environ['K']",
    "os.environ[o.KEY] = '1'": "os.environ[o.KEY]",
    "os.environ[name()] = '1'": "os.environ",
    "os.environb[b'A'] = b'1'": "os.environ['A']",
    "del os.environ['A']": "os.environ['A']",
    "os.environ.pop('A', None)": "os.environ['A']",
    "os.environ.setdefault('A', '1')": "os.environ['A']",
    "os.environ.update(A='1')": "os.environ",
    "os.environ.clear()": "os.environ",
    "os.environ = {}": "os.environ",
    "os.putenv('A', '1')": "os.environ['A']",
    "os.unsetenv('A')": "os.environ['A']",
    "operator.delitem(os.environ, 'A')": "os.environ['A']",
    "chdir('/')": "os.getcwd()",
    "os.fchdir(3)": "os.getcwd()",
    "tmpdir.chdir()": "os.getcwd()",
    "signal.signal(signal.SIGINT, f)": "signal.getsignal(signal.SIGINT)",
    "signal.signal(number, f)": "signal.getsignal",
    "locale.setlocale(locale.LC_ALL, 'de')": "locale.getlocale()",
    "gc.disable()": "gc.isenabled()",
    "logging.disable(50)": "logging.root.manager.disable",
    "os.umask(0)": "os.umask()",
    "time.tzset()": "time.tzname",
    "sys.argv = []": "sys.argv",
    "sys.argv += ['x']": "sys.argv",
    "sys.modules['x'] = None": "sys.modules['x']",
    "sys.modules.update(x=1)": "sys.modules",
    "o.charge = 1": "shop.orders.charge",
    "o.charge: int = 1": "shop.orders.charge",
    "shop.orders.charge = 1": "shop.orders.charge",
    "near.charge = 1": ".near.charge",
    "del o.charge": "shop.orders.charge",
    "setattr(o, 'charge', 1)": "shop.orders.charge",
    "setattr(o, KEY, 1)": "shop.orders.K",
    "setattr(o, name(), 1)": "shop.orders",
    "delattr(o, 'charge')": "shop.orders.charge",
    "o.PRICES['a'] = 1": "shop.orders.PRICES['a']",
    "import late; late.value = 1": "late.value",
}


@pytest.mark.parametrize(("statement", "place"), WRITES.items(), ids=WRITES)
def test_a_write_is_seen(statement, place):
    assert places(statement) == [place]


def test_all_targets_of_a_statement_are_seen():
    assert places("o.a, (o.b, x) = o.c = 1, (2, 3)") == ["shop.orders.a", "shop.orders.b", "shop.orders.c"]


@pytest.mark.parametrize(
    "statement",
    [
        "x = 1",
        "self.value = 1",
        "o = 1; o.charge = 2",
        "locale.setlocale(locale.LC_ALL)",
        "locale.setlocale(locale.LC_ALL, None)",
        "signal.getsignal(signal.SIGINT)",
        "os.environ.get('A')",
        "o.pop('a')",
        "{}.update(a=1)",
        "o.make().charge = 1",
        "monkeypatch.chdir('/')",
        "setattr(self, 'a', 1)",
    ],
)
def test_no_write(statement):
    assert places(statement, parameters="self") == []


def test_a_parameter_hides_the_module():
    assert places("os.environ['A'] = '1'; o.charge = 1", parameters="os, o") == []


@pytest.mark.parametrize(
    ("holder", "part"),
    [
        (ENVIRON, Place("environ", "os.environ['A']")),
        (Place("attribute", "shop.orders"), Place("attribute", "shop.orders.charge")),
        (Place("attribute", "shop.orders"), Place("attribute", "shop.orders.charge.retry")),
        (Place("attribute", "shop.orders.PRICES"), Place("item", "shop.orders.PRICES['a.b']")),
        (Place("attribute", "shop.orders.charge"), Place("attribute", "..orders.charge")),
        (Place("attribute", "shop.jobs.time.sleep"), Place("attribute", "time.sleep")),
        (Place("process", "signal.getsignal", whole=True), Place("process", "signal.getsignal(signal.SIGINT)")),
        (CWD, CWD),
    ],
)
def test_a_place_holds_its_parts(holder, part):
    assert holder.holds(part)
    assert holder.meets(part)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Place("environ", "os.environ['A']"), Place("environ", "os.environ['B']")),
        (Place("attribute", "shop.orders.charge"), Place("attribute", "shop.orders")),
        (Place("attribute", "shop.order"), Place("attribute", "shop.orders.charge")),
        (Place("process", "sys.argv"), Place("process", "sys.stdin")),
        (Place("set-up", "shop.orders"), Place("attribute", "shop.orders.charge")),
        (Place("attribute", "shop"), CWD),
    ],
)
def test_a_place_does_not_hold_others(one, other):
    assert not one.holds(other)


LOOPS = {
    "for name in ('A', 'B'): os.environ[name] = '1'": ["os.environ['A']", "os.environ['B']"],
    "for name in ['A']: os.environ.pop(name, None)": ["os.environ['A']"],
    "for name, value in (('A', '1'), ('B', '2')): os.environ[name] = value": ["os.environ['A']", "os.environ['B']"],
    "for name, value in {'A': '1'}.items(): os.environ[name] = value": ["os.environ['A']"],
    "for name in {'A': '1'}: os.putenv(name, '2')": ["os.environ['A']"],
    "for name in ('A', KEY): os.environ[name] = '1'": ["os.environ"],
    "for name in o.names: os.environ[name] = '1'": ["os.environ"],
    "for name in (): os.environ[name] = '1'": ["os.environ"],
    "for name in ('a', 'b'): sys.modules[name] = None": ["sys.modules['a']", "sys.modules['b']"],
}


@pytest.mark.parametrize("statement", LOOPS)
def test_loop_over_a_written_list_names_each_item(statement):
    assert places(statement) == LOOPS[statement]
