"""Every state that the watch looks after: how it is left behind, and how it is put back.

A `State` holds complete test modules. They are made of a few lines each: `change`, what notes the old value before it,
and what undoes it. The same lines then stand in a test, in fixtures of every scope, in set-ups, or at import; the line
that leaves something behind carries a comment ``# LEFT code kind scope``: the check, and whose the finding is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import indent

_POSIX = ("linux", "darwin")
#: Local names that the lines of a state share; in a class they are attributes.
_SHARED = re.compile(r"\b(old|made|loop)\b")
_FIXTURES = re.compile(r"\b(caplog|capsys|monkeypatch|tmp_path)\b")


@dataclass(frozen=True)
class State:
    """One part of the process's state.

    Attributes:
        area: the watcher that sees it.
        subject: as findings name it; ``*`` stands for what differs from run to run.
        bad: a test leaves it behind.
        also: another owner does.
        good: everybody puts it back;
        lasting: so does a fixture of the session. To be run after the others.
        twins: how, beside the ways that serve for every state.
        platforms: where there is such a thing (`sys.platform`); everywhere if empty.
        needs: a package that must be installed.
        args: options of pytest without which pytest itself puts it back.
        alone: why nothing else may be tried in the same process afterwards.
        before: the version of Python from which on the watch cannot see it.
    """

    name: str
    area: str
    code: str
    subject: str
    bad: str
    also: str
    good: str
    lasting: str
    twins: tuple[str, ...]
    platforms: tuple[str, ...] = ()
    needs: str = ""
    args: tuple[str, ...] = ()
    alone: str = ""
    before: tuple[int, int] | None = None
    note: str = ""

    @property
    def line(self) -> str:
        """The line that leaves it behind."""
        return next(line.partition("# LEFT ")[0].strip() for line in self.bad.splitlines() if "# LEFT " in line)


#: The parts of the table, by area; each keeps its order.
TITLES = {
    "environ": "Environment",
    "cwd": "Working directory",
    "imports": "Imports",
    "modules": "Imports",
    "interpreter": "Interpreter",
    "tracing": "Interpreter",
    "builtins": "Interpreter",
    "logging": "Logging and warnings",
    "logging.disable": "Logging and warnings",
    "warnings": "Logging and warnings",
    "signals": "System",
    "umask": "System",
    "limits": "System",
    "locale": "System",
    "time zone": "System",
    "random": "Shared objects",
    "decimal": "Shared objects",
    "contextvars": "Shared objects",
    "asyncio": "asyncio",
    "async tasks": "asyncio",
    "atexit": "What goes on running",
    "threads": "What goes on running",
    "children": "What goes on running",
    "descriptors": "Files and sockets",
    "patches": "Patches",
}


# --- those who leave something behind

_LEFT_BY_FIXTURE = """\
@pytest.fixture(scope="%s")
def dirty():
{lines}
    yield

class TestIt:
    def test_a(self, dirty): pass
    def test_b(self, dirty): pass
"""
_LEFT_BY_FUNCTION = """\
def %s():
{lines}

def test_a(): pass
"""
_LEFT_BY_METHOD = """\
class TestIt%s:
    def %s(self):
{lines2}

    def test_a(self): pass
"""
_LEFT_BY_CLASS = _LEFT_BY_METHOD.replace("    def %s(self)", "    @classmethod\n    def %s(cls)")
_TEST_CASE = "(unittest.TestCase)"

#: Who leaves it: the owner's kind and scope, and the lines around those that do it.
_OWNERS = {
    "test": ("test function", "def test_leaves():\n{lines}\n"),
    "unittest": ("test function", _LEFT_BY_METHOD.partition("\n\n")[0] % (_TEST_CASE, "test_leaves")),
    "function fixture": ("fixture function", _LEFT_BY_FIXTURE % "function"),
    "class fixture": ("fixture class", _LEFT_BY_FIXTURE % "class"),
    "module fixture": ("fixture module", _LEFT_BY_FIXTURE % "module"),
    "package fixture": ("fixture package", _LEFT_BY_FIXTURE % "package"),
    "session fixture": ("fixture session", _LEFT_BY_FIXTURE % "session"),
    "setup_function": ("setup function", _LEFT_BY_FUNCTION % "setup_function"),
    "setup_module": ("setup module", _LEFT_BY_FUNCTION % "setup_module"),
    "setup_method": ("setup function", _LEFT_BY_METHOD % ("", "setup_method")),
    "setup_class": ("setup class", _LEFT_BY_CLASS % ("", "setup_class")),
    "setUp": ("setup function", _LEFT_BY_METHOD % (_TEST_CASE, "setUp")),
    "setUpClass": ("setup class", _LEFT_BY_CLASS % (_TEST_CASE, "setUpClass")),
    "import": ("import session", "{lines0}\n\ndef test_a(): pass\n"),
}


def leaving(head: str, change: str, code: str, owner: str) -> str:
    """A module in which this owner leaves a change behind; in `change` the line is marked by ``#!``."""
    whose, body = _OWNERS[owner]
    if owner == "import":
        code = "PSA107" if "sys.modules" in change else "PSA113"
    lines = change.replace("#!", f"# LEFT {code} {whose}")
    filled = {f"lines{depth if depth != 1 else ''}": indent(lines, " " * 4 * depth) for depth in range(3)}
    return _whole(head, body.format(**filled))


# --- those who put it back

_GOOD = """\
{old0}{change0}
{undo0}

@pytest.fixture
def of_function():
{old}{change}
    yield
{undo}

def test_function_fixture(of_function): pass
def test_function_fixture_again(of_function): pass

def test_finally():
{old}{change}
    try:
        pass
    finally:
{undo2}

class TestMethods:
    def setup_method(self):
{self_old}{self_change}

    def teardown_method(self):
{self_undo}

    def test_a(self): pass
    def test_b(self): pass

class TearDown(unittest.TestCase):
    def setUp(self):
{self_old}{self_change}

    def tearDown(self):
{self_undo}

    def test_a(self): pass
    def test_b(self): pass

class CleanUp(unittest.TestCase):
    def setUp(self):
{old2}{change2}
        def undo():
{undo3}
        self.addCleanup(undo)

    def test_a(self): pass
    def test_b(self): pass

class OfClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
{cls_old}{cls_change}

    @classmethod
    def tearDownClass(cls):
{cls_undo}

    def test_a(self): pass
    def test_b(self): pass
"""
_FIXTURE = """\
@pytest.fixture(scope="%s")
def it():
{old}{change}
    yield
{undo}

def test_fixture(it): pass
def test_fixture_again(it): pass
"""


def restoring(head: str, old: str, change: str, undo: str, more: Mapping[str, str]) -> str:
    """A module in which everybody puts the change back."""
    body = _filled(_GOOD, old, change, undo)
    for number, lines in enumerate(more.values()):
        arguments = ", ".join(sorted(set(_FIXTURES.findall(lines))))
        body += f"\ndef test_more_{number}({arguments}):\n{indent(lines.rstrip(), ' ' * 4)}\n"
    return _whole(head, body + "\n" + _filled(_FIXTURE % "module", old, change, undo))


def lasting(head: str, old: str, change: str, undo: str) -> str:
    """A module with a fixture that puts the change back when the session is over."""
    return _whole(head, _filled(_FIXTURE % "session", old, change, undo))


def _filled(template: str, old: str, change: str, undo: str) -> str:
    filled = {}
    parts = {"old": f"{old}\n" if old else "", "change": change.replace("#!", "").rstrip(), "undo": undo}
    for name, lines in parts.items():
        for depth in range(4):
            filled[f"{name}{depth if depth != 1 else ''}"] = indent(lines, " " * 4 * depth)
        for owner in ("self", "cls"):
            filled[f"{owner}_{name}"] = indent(_SHARED.sub(rf"{owner}.\1", lines), " " * 8)
    return template.format(**filled)


def _whole(head: str, body: str) -> str:
    """A module of this body, with those of the imports that it needs, and the definitions."""
    imports = [line for line in head.splitlines() if " import " in f" {line}"]
    rest = "\n".join(line for line in head.splitlines() if line not in imports)
    imports += ["import pytest", "import unittest"]
    needed = {line for line in imports if re.search(rf"\b{re.escape(line.split()[-1])}\b", f"{rest}\n{body}")}
    return _tidy("\n".join(sorted(needed)) + f"\n{rest}\n\n{body}")


def _tidy(text: str) -> str:
    lines = (line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def state(
    name: str,
    area: str,
    code: str,
    subject: str,
    change: str,
    undo: str,
    *,
    also: str,
    head: str = "",
    old: str = "",
    good: str = "",
    more: Mapping[str, str] | None = None,
    **others: object,
) -> State:
    """A state of these lines; ``good`` is another change, where what is left behind ends by itself with the process."""
    return State(
        name=name,
        area=area,
        code=code,
        subject=subject,
        bad=leaving(head, change, code, "test"),
        also=leaving(head, change, code, also),
        good=restoring(head, old, good or change, undo, more or {}),
        lasting=lasting(head, old, good or change, undo),
        twins=tuple(more or ()),
        **others,  # type: ignore[arg-type]
    )


# --- the states

_ENVIRON = (
    state(
        "environment variable",
        "environ",
        "PSA101",
        "os.environ['LEFT_SET']",
        'os.environ["LEFT_SET"] = "1"  #!',
        "if old is None:\n    del os.environ['LEFT_SET']\nelse:\n    os.environ['LEFT_SET'] = old",
        head="import os\nfrom unittest import mock",
        old='old = os.environ.get("LEFT_SET")',
        more={
            "monkeypatch": 'monkeypatch.setenv("LEFT_SET", "2")',
            "mock.patch.dict": 'with mock.patch.dict(os.environ, LEFT_SET="2"):\n    os.environ["LEFT_OTHER"] = "1"',
        },
        also="import",
    ),
    state(
        "environment variable changed",
        "environ",
        "PSA101",
        "os.environ['PATH']",
        'os.environ["PATH"] += os.pathsep + "/left"  #!',
        'os.environ["PATH"] = old',
        head="import os",
        old='old = os.environ["PATH"]',
        more={"monkeypatch": 'monkeypatch.setenv("PATH", "/left", prepend=os.pathsep)'},
        also="setUp",
    ),
    state(
        "os.environ replaced",
        "environ",
        "PSA101",
        "os.environ",
        'os.environ = {**os.environ, "LEFT": "1"}  #!',
        "os.environ = old",
        head="import os\nfrom unittest import mock",
        old="old = os.environ",
        more={
            "monkeypatch": 'monkeypatch.setattr(os, "environ", dict(os.environ))',
            "mock.patch": 'with mock.patch("os.environ", dict(os.environ)):\n    os.environ["LEFT"] = "2"',
        },
        also="setup_module",
        alone="what is written to the new one never reaches the process",
    ),
    state(
        "os.putenv",
        "environ",
        "PSA101",
        "os.environ['LEFT_PUT']",
        'os.putenv("LEFT_PUT", "1")  #!',
        'os.unsetenv("LEFT_PUT")',
        head="import os",
        also="setup_method",
    ),
)

_CWD = (
    state(
        "working directory",
        "cwd",
        "PSA102",
        "the working directory",
        "os.chdir(tempfile.gettempdir())  #!",
        "os.chdir(old)",
        head="import os\nimport sys\nimport tempfile",
        old="old = os.getcwd()",
        more={
            "monkeypatch": "monkeypatch.chdir(tmp_path)",
            "contextlib.chdir": "if sys.version_info >= (3, 11):\n    import contextlib\n    with contextlib.chdir(tmp_path):\n        pass",
        },
        also="class fixture",
    ),
    state(
        "working directory deleted",
        "cwd",
        "PSA102",
        "the working directory",
        "os.chdir(tempfile.mkdtemp()); os.rmdir(os.getcwd())  #!",
        "os.chdir(old)",
        head="import os\nimport tempfile",
        old="old = os.path.dirname(os.path.abspath(__file__))",
        also="setup_module",
        platforms=_POSIX,
        alone="hardly anything works there",
    ),
)

_IMPORTS = (
    state(
        "sys.path",
        "imports",
        "PSA111",
        "sys.path['/left/lib']",
        'sys.path.insert(0, "/left/lib")  #!',
        'sys.path.remove("/left/lib")',
        head="import sys\nfrom unittest import mock",
        more={
            "monkeypatch": 'monkeypatch.syspath_prepend("/left/lib")',
            "mock.patch.object": 'with mock.patch.object(sys, "path", ["/left/lib", *sys.path]):\n    pass',
            "a slice": 'old = sys.path[:]\nsys.path.append("/left/lib")\nsys.path[:] = old',
        },
        also="import",
    ),
    state(
        "order of sys.path",
        "imports",
        "PSA111",
        "the order of sys.path",
        "sys.path.reverse()  #!",
        "sys.path[:] = old",
        head="import sys",
        old="old = sys.path[:]",
        more={"monkeypatch": 'monkeypatch.setattr(sys, "path", sys.path[::-1])'},
        also="setUpClass",
    ),
    state(
        "sys.meta_path",
        "imports",
        "PSA111",
        "sys.meta_path[Finder]",
        "sys.meta_path.insert(0, Finder())  #!",
        "sys.meta_path[:] = old",
        head="import sys\nfrom unittest import mock\n\nclass Finder:\n    def find_spec(self, name, path=None, target=None): pass",
        old="old = sys.meta_path[:]",
        more={
            "monkeypatch": 'monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])',
            "mock.patch.object": 'with mock.patch.object(sys, "meta_path", [Finder(), *sys.meta_path]):\n    pass',
        },
        also="module fixture",
    ),
    state(
        "sys.path_hooks",
        "imports",
        "PSA111",
        "sys.path_hooks[hook]",
        "sys.path_hooks.append(hook)  #!",
        "sys.path_hooks.remove(hook)",
        head="import sys\n\ndef hook(entry):\n    raise ImportError",
        more={"monkeypatch": 'monkeypatch.setattr(sys, "path_hooks", [*sys.path_hooks, hook])'},
        also="setup_class",
    ),
    state(
        "module replaced",
        "modules",
        "PSA111",
        "sys.modules['fileinput']",
        'sys.modules["fileinput"] = types.ModuleType("fileinput")  #!',
        'sys.modules["fileinput"] = old',
        head="import fileinput\nimport sys\nimport types\nfrom unittest import mock",
        old='old = sys.modules["fileinput"]',
        more={
            "monkeypatch": 'monkeypatch.setitem(sys.modules, "fileinput", mock.Mock())',
            "mock.patch.dict": 'with mock.patch.dict(sys.modules, {"fileinput": None}):\n    pass',
        },
        also="function fixture",
    ),
    state(
        "module removed",
        "modules",
        "PSA111",
        "sys.modules['sched']",
        'del sys.modules["sched"]  #!',
        'sys.modules["sched"] = old',
        head="import sched\nimport sys\nfrom unittest import mock",
        old='old = sys.modules["sched"]',
        more={
            "monkeypatch": 'monkeypatch.delitem(sys.modules, "sched")\nimport sched',
            "mock.patch.dict": 'with mock.patch.dict(sys.modules):\n    del sys.modules["sched"]\n    import sched',
        },
        also="setUpClass",
    ),
    state(
        "module faked",
        "modules",
        "PSA111",
        "sys.modules['left_fake']",
        'sys.modules["left_fake"] = mock.Mock()  #!',
        'if old is None:\n    del sys.modules["left_fake"]\nelse:\n    sys.modules["left_fake"] = old',
        head="import sys\nfrom unittest import mock",
        old='old = sys.modules.get("left_fake")',
        more={
            "monkeypatch": 'monkeypatch.setitem(sys.modules, "left_fake", None)',
            "mock.patch.dict": "with mock.patch.dict(sys.modules, left_fake=mock.Mock()):\n    pass",
        },
        also="import",
    ),
)


def _slot(name: str, value: str, head: str, also: str, **others: object) -> State:
    """An attribute of `sys` or `threading`."""
    module, _, attribute = name.partition(".")
    return state(
        name,
        "interpreter",
        "PSA103",
        name,
        f"{name} = {value}  #!",
        f"{name} = old",
        head=f"import {module}\nfrom unittest import mock\n{head}",
        old=f"old = {name}",
        more={
            "monkeypatch": f'monkeypatch.setattr({module}, "{attribute}", {value})',
            "mock.patch": f'with mock.patch("{name}", {value}):\n    pass',
        },
        also=also,
        **others,  # type: ignore[arg-type]
    )


_WITHOUT_CAPTURE: dict[str, object] = {"args": ("-s",), "note": "pytest's capture puts it back: only with `-s`"}
_INTERPRETER = (
    _slot("sys.stdout", "io.StringIO()", "import io", "setup_method", **_WITHOUT_CAPTURE),
    _slot("sys.stderr", "io.StringIO()", "import io", "module fixture", **_WITHOUT_CAPTURE),
    _slot("sys.stdin", 'io.StringIO("yes")', "import io", "setUpClass", **_WITHOUT_CAPTURE),
    _slot("sys.excepthook", "hook", "\ndef hook(*args): pass", "setUpClass"),
    _slot("sys.displayhook", "hook", "\ndef hook(*args): pass", "function fixture"),
    _slot("threading.excepthook", "hook", "\ndef hook(*args): pass", "setup_module"),
    _slot("sys.argv", '["shop", "--left"]', "", "unittest"),
    state(
        "trace function",
        "tracing",
        "PSA111",
        "sys.settrace",
        "sys.settrace(trace)  #!",
        "sys.settrace(old)",
        head="import sys\n\ndef trace(frame, event, argument): pass",
        old="old = sys.gettrace()",
        also="setUp",
    ),
    state(
        "profile function",
        "tracing",
        "PSA111",
        "sys.setprofile",
        "sys.setprofile(profile)  #!",
        "sys.setprofile(old)",
        head="import sys\n\ndef profile(frame, event, argument): pass",
        old="old = sys.getprofile()",
        also="setup_class",
    ),
    state(
        "recursion limit",
        "interpreter",
        "PSA103",
        "the recursion limit",
        "sys.setrecursionlimit(sys.getrecursionlimit() + 77)  #!",
        "sys.setrecursionlimit(old)",
        head="import sys",
        old="old = sys.getrecursionlimit()",
        also="package fixture",
    ),
    state(
        "switch interval",
        "interpreter",
        "PSA103",
        "the switch interval",
        "sys.setswitchinterval(0.001)  #!",
        "sys.setswitchinterval(old)",
        head="import sys",
        old="old = sys.getswitchinterval()",
        also="setup_function",
    ),
    state(
        "garbage collector off",
        "interpreter",
        "PSA103",
        "the garbage collector",
        "gc.disable()  #!",
        "if old:\n    gc.enable()",
        head="import gc",
        old="old = gc.isenabled()",
        also="import",
    ),
    state(
        "default socket timeout",
        "interpreter",
        "PSA103",
        "the default socket timeout",
        "socket.setdefaulttimeout(30)  #!",
        "socket.setdefaulttimeout(old)",
        head="import socket",
        old="old = socket.getdefaulttimeout()",
        more={"a socket's own": "with socket.socket() as made:\n    made.settimeout(30)"},
        also="class fixture",
    ),
    state(
        "urllib opener",
        "interpreter",
        "PSA103",
        "the opener of urllib.request",
        "urllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPCookieProcessor))  #!",
        "urllib.request.install_opener(old)",
        head="import urllib.request",
        old="old = urllib.request._opener",
        more={"monkeypatch": 'monkeypatch.setattr(urllib.request, "_opener", urllib.request.OpenerDirector())'},
        also="setup_method",
    ),
    state(
        "multiprocessing start method",
        "interpreter",
        "PSA103",
        "the multiprocessing start method",
        'multiprocessing.set_start_method("spawn" if sys.platform == "linux" else "forkserver", force=True)  #!',
        "multiprocessing.set_start_method(old, force=True)",
        head="import multiprocessing\nimport sys",
        old="old = multiprocessing.get_start_method(allow_none=True)",
        more={"get_context": 'multiprocessing.get_context("spawn").Lock()'},
        also="setup_module",
        platforms=_POSIX,
    ),
    state(
        "builtin added",
        "builtins",
        "PSA103",
        "builtins.left_name",
        "builtins.left_name = len  #!",
        "if old is None:\n    del builtins.left_name\nelse:\n    builtins.left_name = old",
        head="import builtins\nfrom unittest import mock",
        old='old = getattr(builtins, "left_name", None)',
        more={
            "monkeypatch": 'monkeypatch.setattr(builtins, "left_name", len, raising=False)',
            "mock.patch": 'with mock.patch("builtins.left_name", len, create=True):\n    pass',
        },
        also="setUp",
    ),
    state(
        "builtin replaced",
        "builtins",
        "PSA103",
        "builtins.input",
        "builtins.input = answer  #!",
        "builtins.input = old",
        head='import builtins\nfrom unittest import mock\n\ndef answer(prompt=""):\n    return "yes"',
        old="old = builtins.input",
        more={
            "monkeypatch": 'monkeypatch.setattr("builtins.input", answer)',
            "mock.patch": 'with mock.patch("builtins.input", answer):\n    pass',
        },
        also="function fixture",
    ),
)

_LOGGING = (
    state(
        "level of the root logger",
        "logging",
        "PSA112",
        "logging.getLogger().level",
        "logging.getLogger().setLevel(logging.DEBUG)  #!",
        "logging.getLogger().setLevel(old)",
        head="import logging",
        old="old = logging.getLogger().level",
        more={
            "caplog": "caplog.set_level(logging.DEBUG)",
            "caplog.at_level": "with caplog.at_level(logging.ERROR):\n    pass",
            "monkeypatch": 'monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)',
        },
        also="session fixture",
    ),
    state(
        "level of a logger",
        "logging",
        "PSA112",
        "logging.getLogger('left.level').level",
        'logging.getLogger("left.level").setLevel(logging.ERROR)  #!',
        'logging.getLogger("left.level").setLevel(old)',
        head="import logging\nfrom unittest import mock",
        old='old = logging.getLogger("left.level").level',
        more={
            "caplog": 'caplog.set_level(logging.DEBUG, logger="left.level")',
            "mock.patch.object": 'with mock.patch.object(logging.getLogger("left.level"), "level", 10):\n    pass',
        },
        also="module fixture",
    ),
    state(
        "handler",
        "logging",
        "PSA112",
        "logging.getLogger('left.handler').handlers[StreamHandler]",
        'made = logging.StreamHandler()\nlogging.getLogger("left.handler").addHandler(made)  #!',
        'logging.getLogger("left.handler").removeHandler(made)',
        head="import logging\nimport unittest",
        more={
            "assertLogs": 'with unittest.TestCase().assertLogs("left.handler"):\n    logging.getLogger("left.handler").error("x")'
        },
        also="setUpClass",
    ),
    state(
        "handler of the root logger",
        "logging",
        "PSA112",
        "logging.getLogger().handlers[Memory]",
        "made = Memory()\nlogging.getLogger().addHandler(made)  #!",
        "logging.getLogger().removeHandler(made)",
        head="import logging\n\nclass Memory(logging.Handler):\n    def emit(self, record): pass",
        also="setup_method",
    ),
    state(
        "filter",
        "logging",
        "PSA112",
        "logging.getLogger('left.filter').filters[quiet]",
        'logging.getLogger("left.filter").addFilter(quiet)  #!',
        'if quiet not in old:\n    logging.getLogger("left.filter").removeFilter(quiet)',
        head="import logging\n\ndef quiet(record):\n    return False",
        old='old = logging.getLogger("left.filter").filters[:]',
        also="setup_class",
    ),
    state(
        "propagate",
        "logging",
        "PSA112",
        "logging.getLogger('left.propagate').propagate",
        'logging.getLogger("left.propagate").propagate = False  #!',
        'logging.getLogger("left.propagate").propagate = old',
        head="import logging",
        old='old = logging.getLogger("left.propagate").propagate',
        more={"monkeypatch": 'monkeypatch.setattr(logging.getLogger("left.propagate"), "propagate", False)'},
        also="setUp",
    ),
    state(
        "logging.disable",
        "logging.disable",
        "PSA103",
        "logging.disable",
        "logging.disable(logging.CRITICAL)  #!",
        "logging.disable(old)",
        head="import logging",
        old="old = logging.root.manager.disable",
        also="class fixture",
    ),
)

_WARNINGS = (
    state(
        "warning filter",
        "warnings",
        "PSA103",
        "warnings.filters['error::DeprecationWarning']",
        'warnings.simplefilter("error", DeprecationWarning)  #!',
        "warnings.filters[:] = old",
        head="import warnings",
        old="old = warnings.filters[:]",
        more={
            "catch_warnings": 'with warnings.catch_warnings():\n    warnings.simplefilter("error", DeprecationWarning)',
        },
        also="setup_method",
        args=("-p", "no:warnings"),
        note="pytest puts them back: only with `-p no:warnings`",
    ),
)

_SYSTEM = (
    state(
        "signal handler",
        "signals",
        "PSA103",
        "signal SIGTERM",
        "signal.signal(signal.SIGTERM, handler)  #!",
        "signal.signal(signal.SIGTERM, old)",
        head="import signal\n\ndef handler(number, frame): pass",
        old="old = signal.getsignal(signal.SIGTERM)",
        also="function fixture",
    ),
    state(
        "interval timer",
        "signals",
        "PSA103",
        "the interval timer",
        "signal.alarm(3600)  #!",
        "signal.alarm(old)",
        head="import signal",
        old="old = signal.alarm(0)",
        also="setUp",
        platforms=_POSIX,
    ),
    state(
        "umask",
        "umask",
        "PSA103",
        "the umask",
        "old = os.umask(0o077)  #!",
        "os.umask(old)",
        head="import os",
        also="setUpClass",
        platforms=_POSIX,
    ),
    state(
        "resource limit",
        "limits",
        "PSA103",
        "the resource limit RLIMIT_NOFILE",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (300, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))  #!",
        "resource.setrlimit(resource.RLIMIT_NOFILE, old)",
        head="import resource",
        old="old = resource.getrlimit(resource.RLIMIT_NOFILE)",
        also="module fixture",
        platforms=_POSIX,
    ),
    state(
        "locale",
        "locale",
        "PSA103",
        "the locale",
        'locale.setlocale(locale.LC_CTYPE, "C")  #!',
        "locale.setlocale(locale.LC_CTYPE, old)",
        head="import locale",
        old="old = locale.setlocale(locale.LC_CTYPE)",
        also="session fixture",
        platforms=_POSIX,
    ),
    state(
        "time zone",
        "time zone",
        "PSA103",
        "the time zone",
        'with mock.patch.dict(os.environ, TZ="LEFT-5"):\n    time.tzset()  #!',
        "time.tzset()",
        head="import os\nimport time\nfrom unittest import mock",
        also="setup_class",
        platforms=_POSIX,
    ),
)

_SHARED_OBJECTS = (
    state(
        "random seeded",
        "random",
        "PSA103",
        "the random generator",
        "random.seed(1)  #!",
        "random.setstate(old)",
        head="import random",
        old="old = random.getstate()",
        more={"random.Random": "random.Random(1).random()", "seed()": "random.seed(1)\nrandom.seed()"},
        also="setup_method",
    ),
    state(
        "decimal context",
        "decimal",
        "PSA103",
        "the decimal context",
        "decimal.getcontext().prec = 5  #!",
        "decimal.getcontext().prec = old",
        head="import decimal",
        old="old = decimal.getcontext().prec",
        more={"localcontext": "with decimal.localcontext() as context:\n    context.prec = 5"},
        also="setUp",
    ),
    state(
        "contextvar",
        "contextvars",
        "PSA103",
        "contextvar user",
        'made = USER.set("somebody")  #!',
        "USER.reset(made)",
        head='import contextvars\n\nUSER = contextvars.ContextVar("user")',
        more={"copy_context": 'contextvars.copy_context().run(USER.set, "somebody")'},
        also="module fixture",
    ),
    state(
        "asyncio policy",
        "asyncio",
        "PSA103",
        "the asyncio event loop policy",
        "asyncio.set_event_loop_policy(Policy())  #!",
        "asyncio.set_event_loop_policy(old)",
        head="import asyncio\n\nclass Policy(asyncio.DefaultEventLoopPolicy): pass",
        old="old = asyncio.get_event_loop_policy()",
        also="setup_module",
    ),
    state(
        "current event loop",
        "asyncio",
        "PSA103",
        "the current asyncio event loop",
        "made = asyncio.new_event_loop()\nasyncio.set_event_loop(made)  #!",
        "asyncio.set_event_loop(None)\nmade.close()",
        head="import asyncio",
        more={"asyncio.run": "asyncio.run(asyncio.sleep(0))"},
        also="setUpClass",
    ),
    state(
        "asyncio task",
        "async tasks",
        "PSA606",
        "asyncio task forever",
        "KEPT.append(asyncio.new_event_loop())\nKEPT.append(KEPT[-1].create_task(forever()))  #!",
        "made.cancel()\nloop.run_until_complete(asyncio.gather(made, return_exceptions=True))\nloop.close()",
        head="import asyncio\n\nKEPT = []\n\nasync def forever():\n    await asyncio.get_running_loop().create_future()",
        good="loop = asyncio.new_event_loop()\nmade = loop.create_task(forever())",
        before=(3, 14),
        note="until Python 3.13; from 3.14 on those of the current loop",
        more={
            "asyncio.wait": "async def main():\n    await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})\nasyncio.run(main())"
        },
        also="module fixture",
    ),
    state(
        "atexit",
        "atexit",
        "PSA103",
        "atexit.register(gc.collect)",
        "atexit.register(gc.collect)  #!",
        "atexit.unregister(gc.collect)",
        head="import atexit\nimport gc",
        also="setup_class",
    ),
    state(
        "thread",
        "threads",
        "PSA601",
        "thread left",
        'threading.Thread(target=threading.main_thread().join, name="left").start()  #!',
        "made.cancel()\nmade.join()",
        head="import threading",
        good="made = threading.Timer(60, print)\nmade.start()",
        also="setUp",
    ),
    state(
        "child process",
        "children",
        "PSA603",
        "process python",
        'KEPT.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))  #!',
        "made.kill()\nmade.wait()\nmade.stdin.close()",
        head="import subprocess\nimport sys\n\nKEPT = []",
        good='made = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)',
        more={"with": 'with subprocess.Popen([sys.executable, "-c", ""]):\n    pass'},
        also="class fixture",
    ),
    state(
        "forked process",
        "children",
        "PSA603",
        "process forked from this one",
        "made = os.fork() or child()  #!",
        "os.kill(made, 9)\nos.waitpid(made, 0)",
        head="import os\n\nENDS = os.pipe()\n\ndef child():\n    os.close(ENDS[1])\n    os.read(ENDS[0], 1)\n    os._exit(0)",
        also="setup_method",
        platforms=_POSIX,
    ),
    state(
        "listening socket",
        "descriptors",
        "PSA604",
        "listening socket on 127.0.0.1:*",
        'KEPT.append(socket.create_server(("127.0.0.1", 0)))  #!',
        "made.close()",
        head="import socket\n\nKEPT = []",
        good='made = socket.create_server(("127.0.0.1", 0))',
        more={"with": 'with socket.create_server(("127.0.0.1", 0)):\n    pass'},
        also="setup_method",
        platforms=_POSIX,
    ),
    state(
        "open file",
        "descriptors",
        "PSA604",
        "*.py",
        "KEPT.append(open(__file__))  #!",
        "made.close()",
        head="import os\n\nKEPT = []",
        good="made = open(__file__)",
        more={"with": "with open(__file__) as file:\n    file.readline()"},
        also="setUpClass",
        platforms=_POSIX,
    ),
)


def _patcher(name: str, subject: str, call: str, also: str, **others: object) -> State:
    """A patcher of `unittest.mock` that was started."""
    decorated = f"@{call}\ndef patched(*args, **named):\n    pass\npatched()"
    return state(
        name,
        "patches",
        "PSA510",
        subject,
        f"{call}.start()  #!",
        "made.stop()",
        good=f"made = {call}\nmade.start()",
        head="import colorsys\nimport http.client\nimport os\nfrom unittest import mock",
        more={"with": f"with {call}:\n    pass", "decorator": decorated},
        also=also,
        **others,  # type: ignore[arg-type]
    )


_PATCHES = (
    _patcher("mock.patch", "colorsys.rgb_to_hsv", 'mock.patch("colorsys.rgb_to_hsv")', "setUp"),
    _patcher("mock.patch.object", "colorsys.rgb_to_hls", 'mock.patch.object(colorsys, "rgb_to_hls")', "setUpClass"),
    _patcher(
        "mock.patch.dict",
        "http.client.responses",
        'mock.patch.dict(http.client.responses, {999: "x"})',
        "session fixture",
    ),
    _patcher(
        "mock.patch.dict of os.environ",
        "os.environ['LEFT_PATCHED']",
        'mock.patch.dict(os.environ, LEFT_PATCHED="1")',
        "setup_method",
    ),
    _patcher(
        "mock.patch.multiple",
        "colorsys.hls_to_rgb",
        'mock.patch.multiple("colorsys", hls_to_rgb=mock.DEFAULT)',
        "class fixture",
    ),
    state(
        "patchers stopped out of order",
        "patches",
        "PSA510",
        "colorsys.hsv_to_rgb",
        "old, made = mock.patch(NAME), mock.patch(NAME)\nold.start(); made.start()  #!\nold.stop(); made.stop()",
        "made.stop(); old.stop()",
        head='import colorsys\nfrom unittest import mock\n\nNAME = "colorsys.hsv_to_rgb"',
        good="old, made = mock.patch(NAME), mock.patch(NAME)\nold.start(); made.start()",
        more={"mock.patch.stopall": "mock.patch(NAME).start()\nmock.patch(NAME).start()\nmock.patch.stopall()"},
        also="setup_class",
        note="the outer one first",
    ),
    state(
        "MonkeyPatch by hand",
        "patches",
        "PSA510",
        "colorsys.rgb_to_yiq",
        'made = pytest.MonkeyPatch()\nmade.setattr(colorsys, "rgb_to_yiq", len)  #!',
        "made.undo()",
        head="import colorsys",
        more={
            "context": 'with pytest.MonkeyPatch.context() as made:\n    made.setattr(colorsys, "rgb_to_yiq", len)',
            "monkeypatch": 'monkeypatch.setattr("colorsys.rgb_to_yiq", len)',
        },
        also="module fixture",
    ),
    state(
        "MonkeyPatch by hand, of os.environ",
        "patches",
        "PSA510",
        "os.environ['LEFT_BY_HAND']",
        'made = pytest.MonkeyPatch()\nmade.setenv("LEFT_BY_HAND", "1")  #!',
        "made.undo()",
        head="",
        more={"context": 'with pytest.MonkeyPatch.context() as made:\n    made.setenv("LEFT_BY_HAND", "1")'},
        also="setUpClass",
    ),
    state(
        "fixtures.MonkeyPatch",
        "patches",
        "PSA510",
        "colorsys.yiq_to_rgb",
        'made = fixtures.MonkeyPatch("colorsys.yiq_to_rgb", len)\nmade.setUp()  #!',
        "made.cleanUp()",
        head="import colorsys\nimport fixtures",
        more={"with": 'with fixtures.MonkeyPatch("colorsys.yiq_to_rgb", len):\n    pass'},
        also="setUp",
        needs="fixtures",
    ),
)

STATES: tuple[State, ...] = (
    *_ENVIRON,
    *_CWD,
    *_IMPORTS,
    *_INTERPRETER,
    *_LOGGING,
    *_WARNINGS,
    *_SYSTEM,
    *_SHARED_OBJECTS,
    *_PATCHES,
)

#: What happens in every suite and is nobody's leak: first uses, what ends by itself, what a library keeps.
NOISE = '''\
import _thread
import asyncio
import concurrent.futures
import contextlib
import decimal
import io
import locale
import logging
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from unittest import mock

import pytest

_CACHE = None
EXECUTOR = concurrent.futures.ThreadPoolExecutor(1)

def test_thread_about_to_end():
    threading.Thread(target=time.sleep, args=(0.05,)).start()

def test_timer_about_to_end():
    threading.Timer(0.02, int).start()

def test_thread_without_threading():
    done = threading.Event()
    _thread.start_new_thread(lambda: (threading.current_thread(), done.set()), ())
    assert done.wait(10)

def test_child_about_to_end():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.poll()

def test_first_imports():
    import sqlite3.dbapi2
    import xml.dom.minidom
    import xmlrpc.client
    assert sqlite3 and xml and xmlrpc

def test_import_that_fails():
    with contextlib.suppress(ImportError):
        import no_such_module_anywhere

def test_caplog(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("noise.caplog").debug("x")
    with caplog.at_level(logging.ERROR, logger="noise.caplog"):
        logging.getLogger("noise.caplog").error("y")
    assert caplog.records

def test_caplog_filtering(caplog):
    with caplog.filtering(lambda record: True):
        logging.getLogger().warning("x")

def test_capsys(capsys):
    print("x")
    assert capsys.readouterr().out

def test_capfd(capfd):
    os.write(1, b"x")
    assert capfd.readouterr().out

def test_redirected():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        print("x")

def test_recwarn(recwarn):
    warnings.warn("x")
    assert len(recwarn) == 1

def test_catch_warnings():
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")

@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_filterwarnings_mark():
    pass

def test_simplefilter():
    warnings.simplefilter("ignore", ResourceWarning)

class Mocker:
    """Starts patchers and stops them in the end."""

    def __init__(self):
        self.patchers = []

    def patch(self, target):
        self.patchers.append(mock.patch(target))
        return self.patchers[-1].start()

    def stopall(self):
        while self.patchers:
            self.patchers.pop().stop()

@pytest.fixture
def mocker():
    mocker = Mocker()
    yield mocker
    mocker.stopall()

@pytest.fixture(scope="module")
def module_mocker():
    mocker = Mocker()
    mocker.patch("os.getlogin")
    yield mocker
    mocker.stopall()

def test_mocker(mocker, module_mocker):
    mocker.patch("os.getlogin")
    mocker.patch("os.cpu_count")

@mock.patch("os.getlogin")
@mock.patch.dict(os.environ, NOISE="1")
def test_decorated(getlogin):
    os.environ["NOISE_TOO"] = "1"

def test_stopall():
    mock.patch("os.getlogin").start()
    mock.patch.dict(os.environ, NOISE="1").start()
    mock.patch.stopall()

def test_patched_object_of_the_test():
    thing = mock.Mock()
    mock.patch.object(thing, "name", "x").start()

async def answer():
    await asyncio.sleep(0)
    return await asyncio.to_thread(os.getpid)

def test_asyncio_run():
    assert asyncio.run(answer()) == os.getpid()

def test_background_task():
    async def main():
        asyncio.ensure_future(asyncio.sleep(60))
    asyncio.run(main())

class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_a(self):
        assert await answer()

def test_executor():
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        assert list(executor.map(abs, [-1, 2])) == [1, 2]

def test_executor_of_the_module():
    assert EXECUTOR.submit(abs, -1).result() == 1

def test_socketpair():
    pair = socket.socketpair()
    pair[0].send(b"x")
    for one in pair:
        one.close()

def test_client_and_server():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client, server.accept()[0] as there:
            client.sendall(b"x")
            assert there.recv(1) == b"x"

def test_tmp_path(tmp_path):
    (tmp_path / "x").write_text("x")
    assert (tmp_path / "x").read_text() == "x"

def test_tempfile():
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"x")
    with tempfile.TemporaryFile() as file, tempfile.SpooledTemporaryFile() as spooled:
        file.write(b"x")

def test_program():
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert subprocess.check_output([sys.executable, "-c", "print(1)"])

def test_new_logger():
    logging.getLogger("noise.new").addHandler(logging.NullHandler())
    logging.getLogger("noise.new").info("x")

def test_lazy_global():
    global _CACHE
    if _CACHE is None:
        _CACHE = {"x": 1}

def test_asked_only():
    locale.setlocale(locale.LC_ALL)
    decimal.getcontext()
    random.random()
    asyncio.get_event_loop_policy() if sys.version_info < (3, 14) else None
    sys.getrecursionlimit()

def test_unseeded():
    random.shuffle([1, 2, 3])
    random.seed()

def test_exit_stack():
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("os.getlogin"))
        stack.callback(os.environ.pop, "NOISE_STACK")
        os.environ["NOISE_STACK"] = "1"

@pytest.fixture(autouse=True)
def isolated():
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)

def test_isolated():
    os.environ["NOISE_ISOLATED"] = "1"

@pytest.fixture(scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOISE_PATCHED", "1")
        patch.setattr(os, "getlogin", str)
        patch.syspath_prepend("/noise")
        yield patch

def test_module_monkeypatch(patched, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "getlogin", repr)
    monkeypatch.chdir(tmp_path)
'''
