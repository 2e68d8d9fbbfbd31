"""Plant forty leaks into a copy of a real suite, and count those that the audit finds with owner and line.

    python benchmarks/planted.py SUITE_FOLDER [--python VENV/bin/python] [--tests tests] [--seed 4] [-- PYTEST_ARGUMENT...]
    python benchmarks/planted.py oauthlib-4.0.1 --tests=tests --save

The folder (an unpacked source distribution, say) is copied to a temporary one. There the suite is run twice with the
audit: as it is, so that what it leaks by itself does not count, and with the leaks of `LEAKS` planted. Which tests,
classes and modules they go into is a fixed-seed choice among those that pass. Each leak has one subject that nothing
else in the copy touches, one owner and one line; the spots (`SPOTS`) are as different as those of real leaks.

A leak is found with its owner when a finding that the first run does not have, of that code and subject, names that
owner; it is found with its line when ``written_at`` is the planted line, and ``path``/``line`` the place to edit: the
same line, or the call in the test when code beside the tests wrote, or the owner's ``def`` when no test-side code did.

The exit status is 0 unless a run fails. Tests that fail because of the leaks are listed.
``--save`` keeps the counts for `field_notes.py`.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any

import deep_leaks

ROOT = Path(__file__).resolve().parent.parent
SAVED = ROOT / "docs" / "field-notes" / "planted.json"

#: In the copy's root, where no test side is: what tests call, and a plugin of the project's own.
SUPPORT = "planted_support"
PLUGIN = "planted_plugin"

#: Where a leak is planted, and who owns it then.
SPOTS = {
    "test": "test",
    "async test": "test",
    "helper": "test",
    "other code": "test",
    "function fixture": "fixture",
    "module fixture": "fixture",
    "session fixture": "fixture",
    "clean-up": "fixture",
    "plugin": "fixture",
    "set-up": "setup",
    "class set-up": "setup",
    "module set-up": "setup",
    "import": "import",
}


@dataclass(frozen=True)
class Planted:
    """One leak.

    Attributes:
        code: the check that finds it; one of several where it depends on what reading suspects.
        spot: one of `SPOTS`.
        lines: the statements; the line that leaves something behind ends with ``#!``, which is not planted.
        subject: as the finding names it; ``*`` stands for what differs, and nothing at all for what has no subject.
    """

    name: str
    code: str
    spot: str
    lines: str
    subject: str = ""

    @property
    def owner(self) -> str:
        """The kind of its owner."""
        return SPOTS[self.spot]

    @property
    def identifier(self) -> str:
        return "planted_" + re.sub(r"\W+", "_", self.name)

    def planted(self) -> list[tuple[str, str]]:
        """Its lines, the one that counts with its name."""
        pairs = ((line.removesuffix("  #!"), line) for line in self.lines.splitlines())
        return [(text, self.name if text != line else "") for text, line in pairs]


LEAKS = (
    # the state of the process
    Planted(
        "environ, in a test",
        "PSA101",
        "test",
        'import os\nos.environ["PLANTED_TEST"] = "1"  #!',
        "os.environ['PLANTED_TEST']",
    ),
    Planted(
        "environ, in an async test",
        "PSA101",
        "async test",
        'import os\nos.environ.update(PLANTED_ASYNC="1")  #!',
        "os.environ['PLANTED_ASYNC']",
    ),
    Planted(
        "environ changed",
        "PSA101",
        "other code",
        'import os\nos.environ["PATH"] += os.pathsep + "/planted/bin"  #!',
        "os.environ['PATH']",
    ),
    Planted(
        "environ, in set-up",
        "PSA101",
        "set-up",
        'import os\nos.environ["PLANTED_SETUP"] = "1"  #!',
        "os.environ['PLANTED_SETUP']",
    ),
    Planted(
        "environ, for the session",
        "PSA101",
        "session fixture",
        'import os\nos.environ.setdefault("PLANTED_SESSION", "1")  #!',
        "os.environ['PLANTED_SESSION']",
    ),
    Planted(
        "environ, in a clean-up",
        "PSA101",
        "clean-up",
        'import os\nos.environ["PLANTED_CLEAN_UP"] = "1"  #!',
        "os.environ['PLANTED_CLEAN_UP']",
    ),
    Planted(
        "environ, at import",
        "PSA113",
        "import",
        'import os\nos.environ["PLANTED_IMPORT"] = "1"  #!',
        "os.environ['PLANTED_IMPORT']",
    ),
    Planted("os.putenv", "PSA101", "test", 'import os\nos.putenv("PLANTED_PUT", "1")  #!', "os.environ['PLANTED_PUT']"),
    Planted(
        "working directory",
        "PSA102",
        "test",
        "import os\nos.chdir(os.path.dirname(os.path.abspath(__file__)))  #!",
        "the working directory",
    ),
    Planted(
        "sys.path",
        "PSA111",
        "module fixture",
        'import sys\nsys.path.insert(0, "/planted/lib")  #!',
        "sys.path['/planted/lib']",
    ),
    Planted(
        "module replaced",
        "PSA111",
        "test",
        'import sys\nimport types\nsys.modules["fileinput"] = types.ModuleType("fileinput")  #!',
        "sys.modules['fileinput']",
    ),
    Planted(
        "module removed",
        "PSA111",
        "class set-up",
        'import sys\nsys.modules.pop("sched", None)  #!',
        "sys.modules['sched']",
    ),
    Planted(
        "module faked, at import",
        "PSA107",
        "import",
        'import sys\nfrom unittest.mock import Mock as PlantedMock\nsys.modules["planted_fake"] = PlantedMock()  #!',
        "sys.modules['planted_fake']",
    ),
    Planted(
        "sys.excepthook",
        "PSA103",
        "class set-up",
        "import sys\nsys.excepthook = lambda *args: None  #!",
        "sys.excepthook",
    ),
    Planted("sys.argv", "PSA103", "helper", 'import sys\nsys.argv = ["planted"]  #!', "sys.argv"),
    Planted(
        "trace function",
        "PSA111",
        "test",
        "import sys\nsys.settrace(lambda frame, event, argument: None)  #!",
        "sys.settrace",
    ),
    Planted(
        "recursion limit",
        "PSA103",
        "other code",
        "import sys\nsys.setrecursionlimit(sys.getrecursionlimit() + 77)  #!",
        "the recursion limit",
    ),
    Planted("garbage collector", "PSA103", "helper", "import gc\ngc.disable()  #!", "the garbage collector"),
    Planted(
        "default socket timeout",
        "PSA103",
        "set-up",
        "import socket\nsocket.setdefaulttimeout(77)  #!",
        "the default socket timeout",
    ),
    Planted(
        "builtin added",
        "PSA103",
        "function fixture",
        "import builtins\nbuiltins.planted_name = len  #!",
        "builtins.planted_name",
    ),
    Planted(
        "level of the root logger",
        "PSA112",
        "module fixture",
        "import logging\nlogging.getLogger().setLevel(27)  #!",
        "logging.getLogger().level",
    ),
    Planted(
        "handler",
        "PSA112",
        "class set-up",
        "import logging\nhandler = logging.StreamHandler()\n"
        'logging.getLogger("planted.handler").addHandler(handler)  #!',
        "logging.getLogger('planted.handler').handlers[[]StreamHandler]",
    ),
    Planted(
        "signal handler",
        "PSA103",
        "test",
        "import signal\nsignal.signal(signal.SIGUSR2, lambda *args: None)  #!",
        "signal SIGUSR2",
    ),
    Planted("umask", "PSA103", "plugin", "import os\nos.umask(0o027)  #!", "the umask"),
    Planted("random seeded", "PSA103", "test", "import random\nrandom.seed(77)  #!", "the random generator"),
    Planted(
        "decimal context",
        "PSA103",
        "module set-up",
        "import decimal\ndecimal.getcontext().prec = 27  #!",
        "the decimal context",
    ),
    # patches
    Planted(
        "mock.patch",
        "PSA510",
        "test",
        'from unittest import mock\nmock.patch("colorsys.rgb_to_hsv").start()  #!',
        "colorsys.rgb_to_hsv",
    ),
    Planted(
        "mock.patch.object",
        "PSA510",
        "async test",
        "import colorsys\nfrom unittest import mock\n"
        'patcher = mock.patch.object(colorsys, "rgb_to_hls")\npatcher.start()  #!',
        "colorsys.rgb_to_hls",
    ),
    Planted(
        "mock.patch.dict",
        "PSA510",
        "session fixture",
        'import http.client\nfrom unittest import mock\nmock.patch.dict(http.client.responses, {999: "x"}).start()  #!',
        "http.client.responses",
    ),
    Planted(
        "mock.patch.dict of os.environ",
        "PSA510",
        "class set-up",
        'import os\nfrom unittest import mock\nmock.patch.dict(os.environ, PLANTED_PATCH="1").start()  #!',
        "os.environ['PLANTED_PATCH']",
    ),
    Planted(
        "MonkeyPatch by hand",
        "PSA510",
        "other code",
        'import colorsys\nimport pytest\npytest.MonkeyPatch().setattr(colorsys, "rgb_to_yiq", len)  #!',
        "colorsys.rgb_to_yiq",
    ),
    # the clock
    Planted("sleep, in a test", "PSA701", "test", "import time\ntime.sleep(0.05)  #!"),
    Planted("sleep, in a fixture", "PSA701", "module fixture", "import time\ntime.sleep(0.05)  #!"),
    Planted("sleep, in asyncio", "PSA701", "other code", "import asyncio\nasyncio.run(asyncio.sleep(0.05))  #!"),
    # contact
    Planted(
        "real network",
        "PSA901",
        "test",
        "import contextlib\nimport socket\nwith contextlib.suppress(OSError):\n"
        '    socket.create_connection(("192.0.2.77", 80), timeout=0.01).close()  #!',
        "192.0.2.77:80",
    ),
    Planted(
        "real program",
        "PSA902",
        "function fixture",
        'import subprocess\nsubprocess.run(["uname"], check=True, stdout=subprocess.DEVNULL)  #!',
        "uname",
    ),
    Planted(
        "listens everywhere",
        "PSA903",
        "set-up",
        'import socket\nwith socket.socket() as listener:\n    listener.bind(("0.0.0.0", 0))\n    listener.listen()  #!',
        "0.0.0.0",
    ),
    # resources
    Planted(
        "thread",
        "PSA601",
        "test",
        "import threading\n"
        'threading.Thread(target=threading.Event().wait, name="planted-thread", daemon=True).start()  #!',
        "thread planted-thread",
    ),
    Planted(
        "child process",
        "PSA603",
        "session fixture",
        "import subprocess\nimport sys\nglobal PLANTED_CHILD\n"
        'PLANTED_CHILD = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  #!',
        "process python*",
    ),
    Planted(
        "listening socket",
        "PSA604",
        "test",
        'import socket\nglobal PLANTED_LISTENER\nPLANTED_LISTENER = socket.create_server(("127.0.0.1", 0))  #!',
        "listening socket on 127.0.0.1:*",
    ),
)


DEEP = tuple(Planted(*leak) for leak in deep_leaks.LEAKS)
KINDS = {"process": LEAKS, "deep": DEEP}


# --- the source of the suite

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class File:
    """A file of the copy, and what is put into it; lines are those of the file as it was."""

    root: Path
    path: str
    text: str = ""
    before: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    replaced: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = self.root / self.path
        self.text = where.read_text(encoding="utf-8") if where.is_file() else ""
        self.tree = ast.parse(self.text)

    def insert(self, line: int, lines: Iterable[tuple[str, str]], *, depth: int = 0) -> None:
        """Put lines before this one; those with a name can be found again."""
        self.before.setdefault(line, []).extend((indent(text, " " * depth), name) for text, name in lines)

    def append(self, lines: Iterable[tuple[str, str]]) -> None:
        self.insert(len(self.text.splitlines()) + 2, lines)  # after what is inserted at the end of the last class

    def head(self, *lines: str) -> None:
        """Put lines where imports may begin; once."""
        wanted = [(line, "") for line in lines]
        first = after_future(self.tree)
        self.insert(first, [pair for pair in wanted if pair not in self.before.get(first, ())])

    def planted(self) -> tuple[str, dict[str, int]]:
        """The new text, and the lines that have a name."""
        lines: list[str] = []
        places: dict[str, int] = {}
        old = self.text.splitlines()
        for number in range(1, len(old) + 3):
            for text, name in self.before.get(number, ()):
                lines.append(text)
                if name:
                    places[name] = len(lines)
            lines += [self.replaced.get(number, line) for line in old[number - 1 : number]]
        return "\n".join(lines) + "\n", places


def after_future(tree: ast.Module) -> int:
    """The line before which an import may stand: after the docstring and the imports from ``__future__``."""
    for number, node in enumerate(tree.body):
        is_text = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_text and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            return first_line(node)
    return (tree.body[-1].end_lineno or 0) + 1 if tree.body else 1


def after_imports(tree: ast.Module) -> int:
    """The line after the first imports of a module."""
    ends = [node.end_lineno or 0 for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    stops = [first_line(node) for node in tree.body if isinstance(node, (ast.ClassDef, *_FUNCTIONS))]
    return max((end for end in ends if end < min(stops, default=end + 1)), default=0) + 1


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def first_line(node: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def body_of(function: Function) -> ast.stmt | None:
    """The first statement after the docstring, where it stands on a line of its own."""
    body = function.body
    has_text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1] if has_text and len(body) > 1 else body[0]
    is_alone = function.lineno < first_line(first) and not (has_text and len(body) == 1)
    return first if is_alone else None


@dataclass(frozen=True)
class Test:
    """A test that passes, found in the source."""

    __test__ = False

    file: File
    class_: ast.ClassDef | None
    function: Function
    is_parametrised: bool

    @property
    def id(self) -> str:
        middle = f"{self.class_.name}::" if self.class_ else ""
        return f"{self.file.path}::{middle}{self.function.name}"

    @property
    def is_async(self) -> bool:
        return isinstance(self.function, ast.AsyncFunctionDef)


class Suite:
    """What is known of a copied suite, and what was not yet used for a leak."""

    def __init__(self, root: Path, passed: Sequence[str], seed: int) -> None:
        self.root = root
        self.files: dict[str, File] = {}
        self._random = random.Random(seed)
        self.tests = self._shuffled(found_tests(self.file, passed))  # in the order of the run, so far
        classes = {(test.file.path, test.class_.name): test for test in self.tests if test.class_}
        self.classes = self._shuffled(test for test in classes.values() if self._may_be_set_up(test))
        self.modules = self._shuffled({test.file.path: test.file for test in self.tests}.values())

    def _shuffled(self, found: Iterable[Any]) -> list[Any]:
        every = list(found)
        self._random.shuffle(every)
        return every

    def file(self, path: str) -> File:
        if path not in self.files:
            self.files[path] = File(self.root, path)
        return self.files[path]

    def _may_be_set_up(self, test: Test) -> bool:
        """Whether its class has a known kind of set-up."""
        return is_test_case(test) or (test.class_ is not None and not test.class_.bases)

    def take(self, wanted: Callable[[Test], bool]) -> Test | None:
        """A test that has no leak yet."""
        for number, test in enumerate(self.tests):
            if wanted(test) and body_of(test.function) is not None:
                found: Test = self.tests.pop(number)
                return found
        return None


def found_tests(file: Callable[[str], File], passed: Sequence[str]) -> Iterator[Test]:
    """The tests of these ids whose functions stand in their own file, in its class or at its top level.

    Not those of a class that has subclasses or is imported into another test module: they run there, too.
    """
    seen: dict[str, None] = dict.fromkeys(node_id.partition("[")[0] for node_id in passed)
    homes: dict[str, set[str]] = {}
    for plain in seen:
        path, *names = plain.split("::")
        homes.setdefault(names[0], set()).add(path)
    inherited = {name for path in {plain.partition("::")[0] for plain in seen} for name in base_names(file(path).tree)}
    for plain in seen:
        path, *names = plain.split("::")
        if len(names) == 1 or (len(names) == 2 and names[0] not in inherited and len(homes[names[0]]) == 1):
            source = file(path)
            class_ = one(source.tree.body, ast.ClassDef, names[0]) if len(names) == 2 else None
            body = class_.body if class_ else source.tree.body if len(names) == 1 else ()
            function = one(body, _FUNCTIONS, names[-1])
            if function is not None:
                yield Test(source, class_, function, plain not in passed)


def one(body: Sequence[ast.stmt], kind: Any, name: str) -> Any:
    """The only definition of this name."""
    found = [node for node in body if isinstance(node, kind) and getattr(node, "name", "") == name]
    return found[0] if len(found) == 1 else None


def base_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (ast.unparse(base).rpartition(".")[2] for base in node.bases)


def is_test_case(test: Test) -> bool:
    bases = test.class_.bases if test.class_ else []
    return any(ast.unparse(base).endswith("TestCase") for base in bases)


def helpers(file: File) -> Iterator[tuple[Function, str]]:
    """Functions of a test module that a single test calls, with that test's name."""
    for helper in file.tree.body:
        if not isinstance(helper, ast.FunctionDef) or helper.name.startswith("test") or helper.decorator_list:
            continue
        uses = [node for node in ast.walk(file.tree) if isinstance(node, ast.Name) and node.id == helper.name]
        callers = [
            function.name
            for function in ast.walk(file.tree)
            if isinstance(function, _FUNCTIONS) and any(calls(node, helper.name) for node in ast.walk(function))
        ]
        is_lazy = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(helper))
        if len(uses) == 1 and len(callers) == 1 and not is_lazy and body_of(helper) is not None:
            yield helper, callers[0]


def calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


# --- planting


@dataclass(frozen=True)
class Spot:
    """Where a leak went: whose it is, and in which lines it can be found again.

    Attributes:
        owner: the id of the owner; that of a test may go on with its parameters.
        written: the file of the writing line; the line there has the name of the leak.
        edit: the file, and the name of the line there, of the place to edit.
    """

    owner: str
    written: str
    edit: tuple[str, str]


class NoRoom(Exception):
    """The suite has no place of that kind left."""


def plant(suite: Suite, leak: Planted) -> Spot:
    """Put one leak into the copy.

    Raises:
        NoRoom: the suite has no place for it.
    """
    if leak.spot in ("test", "async test"):
        return in_test(suite, leak)
    if leak.spot == "helper":
        return in_helper(suite, leak)
    if leak.spot == "other code":
        return in_other_code(suite, leak)
    if leak.owner == "fixture":
        return in_fixture(suite, leak)
    if leak.owner == "setup":
        return in_set_up(suite, leak)
    return at_import(suite, leak)


def a_test(suite: Suite, *, is_async: bool = False) -> Test:
    test = suite.take(lambda test: test.is_async == is_async and (is_async or not test.is_parametrised))
    if test is None and is_async:
        return a_test(suite)
    if test is None:
        raise NoRoom("no test is left")
    return test


def into(test: Test, lines: Iterable[tuple[str, str]]) -> None:
    first = body_of(test.function)
    assert first is not None
    test.file.insert(first_line(first), lines, depth=first.col_offset)


def in_test(suite: Suite, leak: Planted) -> Spot:
    test = a_test(suite, is_async=leak.spot == "async test")
    into(test, leak.planted())
    return Spot(test.id, test.file.path, (test.file.path, leak.name))


def in_helper(suite: Suite, leak: Planted) -> Spot:
    """A helper of the suite that one test calls; where there is none, a new one in the module of a test."""
    for file in suite.modules:
        for helper, caller in helpers(file):
            test = suite.take(lambda test: test.file is file and test.function.name == caller)  # noqa: B023 taken now
            if test is not None and not test.is_parametrised:
                first = body_of(helper)
                assert first is not None
                file.insert(first_line(first), leak.planted(), depth=first.col_offset)
                return Spot(test.id, file.path, (file.path, leak.name))
    test = a_test(suite)
    into(test, [(f"{leak.identifier}()", "")])
    lines = [(f"    {text}", name) for text, name in leak.planted()]
    test.file.append([("", ""), ("", ""), (f"def {leak.identifier}():", ""), *lines])
    return Spot(test.id, test.file.path, (test.file.path, leak.name))


def in_other_code(suite: Suite, leak: Planted) -> Spot:
    """A function outside of the test side, which a test calls."""
    test = a_test(suite)
    call = f"call of {leak.name}"
    into(test, [(f"from {SUPPORT} import {leak.identifier}", ""), (f"{leak.identifier}()", call)])
    support = suite.file(f"{SUPPORT}.py")
    lines = [(f"    {text}", name) for text, name in leak.planted()]
    support.append([(f"def {leak.identifier}():", ""), *lines, ("", "")])
    return Spot(test.id, support.path, (test.file.path, call))


def in_fixture(suite: Suite, leak: Planted) -> Spot:
    """A new fixture, in the conftest of the folder of two tests that ask for it."""
    first = a_test(suite)
    same = leak.spot in ("function fixture", "module fixture", "clean-up")
    folder = os.path.dirname(first.file.path)
    second = suite.take(
        lambda test: (test.file is first.file) if same else os.path.dirname(test.file.path) == folder,
    )
    for test in (first, second):
        if test is not None:
            ask_for(test, leak.identifier)
    file = suite.file(f"{PLUGIN}.py" if leak.spot == "plugin" else os.path.join(folder, "conftest.py"))
    file.head("import pytest")
    scope = {"clean-up": "function", "plugin": "session"}.get(leak.spot, leak.spot.partition(" ")[0])
    lines = [(f"    {text}", name) for text, name in leak.planted()]
    parts = [("    yield", ""), *lines] if leak.spot == "clean-up" else [*lines, ("    yield", "")]
    decorator, header = f'@pytest.fixture(scope="{scope}")', f"def {leak.identifier}():"
    start = f"def of {leak.name}"
    file.append([("", ""), ("", ""), (decorator, start), (header, ""), *parts])
    edit = start if leak.spot == "plugin" else leak.name  # its file is not on the test side
    return Spot(f"{file.path}::{leak.identifier}", file.path, (file.path, edit))


def ask_for(test: Test, fixture: str) -> None:
    """By an argument where that is easy, else by a mark."""
    line = test.function.lineno
    text = test.file.replaced.get(line, test.file.text.splitlines()[line - 1])
    plain = re.fullmatch(r"((?:async )?def \w+\()(\)(?: -> None)?:)", text)
    if plain and not test.function.decorator_list and test.class_ is None:
        test.file.replaced[line] = plain[1] + fixture + plain[2]
        return
    test.file.head("import pytest")
    mark = (f'@pytest.mark.usefixtures("{fixture}")', "")
    test.file.insert(first_line(test.function), [mark], depth=test.function.col_offset)


def in_set_up(suite: Suite, leak: Planted) -> Spot:
    if leak.spot == "module set-up":
        return in_module_set_up(suite, leak)
    if not suite.classes:
        return in_module_set_up(suite, leak)
    test: Test = suite.classes.pop()
    class_ = test.class_
    assert class_ is not None
    of_class = leak.spot == "class set-up"
    if is_test_case(test):
        name = "setUpClass" if of_class else "setUp"
    else:
        name = "setup_class" if of_class else "setup_method"
    argument = "cls" if of_class else "self"
    lines = leak.planted()
    known = one(class_.body, _FUNCTIONS, name)
    if known is not None:
        first = body_of(known)
        if first is None:
            return in_set_up(suite, leak)
        test.file.insert(first_line(first), lines, depth=first.col_offset)
    else:
        first = class_.body[0]
        if first_line(first) == class_.lineno:
            return in_set_up(suite, leak)
        above = [("@classmethod", "")] if of_class else []
        calls_base = [(f"super().{name}()", "")] if is_test_case(test) else []
        inner = [(f"    {text}", mark) for text, mark in [*calls_base, *lines]]
        method = [*above, (f"def {name}({argument}):", ""), *inner, ("", "")]
        last = class_.body[-1]
        test.file.insert((last.end_lineno or 0) + 1, [("", ""), *method[:-1]], depth=first.col_offset)
    owner = f"{test.file.path}::{class_.name}::{name}"
    return Spot(owner, test.file.path, (test.file.path, leak.name))


def in_module_set_up(suite: Suite, leak: Planted) -> Spot:
    file = next((file for file in suite.modules if one(file.tree.body, _FUNCTIONS, "setup_module") is None), None)
    if file is None:
        raise NoRoom("every module has its set-up")
    suite.modules.remove(file)
    lines = [(f"    {text}", name) for text, name in leak.planted()]
    file.append([("", ""), ("", ""), ("def setup_module():", ""), *lines])
    return Spot(f"{file.path}::setup_module", file.path, (file.path, leak.name))


def at_import(suite: Suite, leak: Planted) -> Spot:
    if not suite.modules:
        raise NoRoom("no module is left")
    file: File = suite.modules.pop()
    file.insert(after_imports(file.tree), leak.planted())
    return Spot(file.path, file.path, (file.path, leak.name))


def plant_all(suite: Suite, leaks: Iterable[Planted]) -> dict[Planted, Spot]:
    """Write all leaks into the copy."""
    plugin = suite.file(f"{PLUGIN}.py")
    loaded = f"import colorsys, fileinput, http.client, sched, {deep_leaks.SHOP}  # loaded before any test begins"
    plugin.append([(loaded, "")])
    suite.file(f"{SUPPORT}.py")
    (suite.root / f"{deep_leaks.SHOP}.py").write_text(deep_leaks.shop(), encoding="utf-8")
    spots = {}
    for leak in leaks:
        try:
            spots[leak] = plant(suite, leak)
        except NoRoom as error:
            print(f"not planted: {leak.name}: {error}")
    return spots


def written(suite: Suite) -> dict[tuple[str, str], int]:
    """Write the files; the lines of what was planted, by file and name."""
    places = {}
    for file in suite.files.values():
        if file.before or file.replaced:
            text, lines = file.planted()
            (suite.root / file.path).write_text(text, encoding="utf-8", newline="\n")
            places.update({(file.path, name): line for name, line in lines.items()})
    return places


# --- running


class RunError(Exception):
    """A run of the suite that says nothing."""


@dataclass(frozen=True)
class Run:
    """What one run of the suite gave."""

    passed: tuple[str, ...]
    failed: frozenset[str]
    report: dict[str, Any]


def run(copy: Path, arguments: argparse.Namespace, *extra: str) -> Run:
    """Run the suite with the audit.

    Raises:
        RunError: pytest did not come to its end.
    """
    report = copy.parent / "report.json"
    report.unlink(missing_ok=True)
    command = [*(arguments.python, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "--color=no"), *extra]
    command += ["--secaudit", f"--secaudit-depth={arguments.depth}", f"--secaudit-report=json:{report}"]
    command += [*arguments.options, *arguments.tests]
    try:
        done = subprocess.run(
            command, cwd=copy, capture_output=True, text=True, errors="replace", timeout=arguments.timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"no end after {error.timeout} s: {' '.join(command)}") from None
    if done.returncode not in (0, 1) or not report.is_file():
        raise RunError(
            f"exit status {done.returncode}: {' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
        )
    passed = re.findall(r"^PASSED ([^\s:]+\.py::.+)$", done.stdout, re.MULTILINE)
    failed = re.findall(r"^(?:FAILED|ERROR) ([^\s:]+\.py::.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return Run(tuple(dict.fromkeys(passed)), frozenset(failed), json.loads(report.read_bytes()))


# --- judging


@dataclass(frozen=True)
class Verdict:
    """What the audit said of one leak; places are written ``path:line``.

    Attributes:
        owner, written, edit: as they should be.
        found: whether there is a finding of that code and subject that the unplanted suite does not have.
    """

    leak: Planted
    owner: str
    written: str
    edit: str
    found: bool
    found_owner: str
    found_written: str
    found_edit: str

    @property
    def has_owner(self) -> bool:
        return self.found and is_owner(self.found_owner, f"{self.leak.owner} {self.owner}")

    @property
    def has_line(self) -> bool:
        return self.has_owner and (self.found_written, self.found_edit) == (self.written, self.edit)

    @property
    def word(self) -> str:
        if self.has_line:
            return "right"
        return "no line" if self.has_owner else "no owner" if self.found else "missed"


def is_owner(found: str, wanted: str) -> bool:
    return found == wanted or found.startswith(wanted + "[")


def judge(leak: Planted, spot: Spot, places: dict[tuple[str, str], int], before: Run, after: Run) -> Verdict:
    """Compare what was planted with what was found; of several findings, the best."""
    wanted = f"{spot.written}:{places[spot.written, leak.name]}"
    edit = f"{spot.edit[0]}:{places[spot.edit]}"
    nothing = Verdict(leak, spot.owner, wanted, edit, found=False, found_owner="", found_written="", found_edit="")
    every = [
        Verdict(leak, spot.owner, wanted, edit, found=True, found_owner=owner, found_written=at, found_edit=place)
        for owner, at, place in named(leak, before, after)
    ]
    return max([nothing, *every], key=lambda verdict: (verdict.has_line, verdict.has_owner, near(verdict)))


def near(verdict: Verdict) -> bool:
    """Of acts without a subject, those elsewhere have nothing to do with the leak."""
    return verdict.found and (bool(verdict.leak.subject) or verdict.written == verdict.found_written)


def named(leak: Planted, before: Run, after: Run) -> Iterator[tuple[str, str, str]]:
    """Owners of new findings of that code and subject, with the writing line and the place to edit."""
    old = {
        (finding["fingerprint"], owner["id"]) for finding in before.report["findings"] for owner in finding["owners"]
    }
    for finding in after.report["findings"]:
        if finding["code"] not in leak.code.split("|") or not fnmatch.fnmatchcase(
            finding["subject"] or "", pattern(leak)
        ):
            continue
        if finding["evidence"] != "confirmed":
            continue
        for number, owner in enumerate(finding["owners"]):
            if (finding["fingerprint"], owner["id"]) in old:
                continue
            first = number == 0
            written_at = owner["written_at"] or (finding["written_at"] if first else None)
            edit = finding if first else owner["written_at"] or owner
            yield f"{owner['kind']} {owner['id']}", place(written_at), place(edit)


def pattern(leak: Planted) -> str:
    """The subject as fnmatch takes it; a bracket is no set of characters."""
    return leak.subject.replace("[[]", "[").replace("[", "[[]")


def place(found: dict[str, Any] | None) -> str:
    return f"{found['path']}:{found['line']}" if found else "unknown"


# --- what is said


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """One block for each leak that was not right, and one line for each that was."""
    for verdict in verdicts:
        leak = verdict.leak
        yield f"{verdict.word:8}  {leak.code}  {leak.name} ({leak.spot}): {leak.owner} {verdict.owner}, {verdict.written}"
        if verdict.word == "right":
            continue
        if verdict.edit != verdict.written:
            yield f"          to be edited at {verdict.edit}"
        if verdict.found:
            yield f"          found: {verdict.found_owner}, {verdict.found_written}, at {verdict.found_edit}"


def said(verdict: Verdict) -> str:
    """What is missing, for the notes."""
    if verdict.word == "no owner" and verdict.found_owner.startswith("window "):
        return "one of several tests and fixtures is named as the owner"
    if verdict.word == "no owner":
        return f"named as the owner is a {verdict.found_owner.partition(' ')[0]}"
    if verdict.word == "no line":
        return f"the line is {'unknown' if verdict.found_written == 'unknown' else 'another one'}"
    return "not found"


def totals(verdicts: Sequence[Verdict]) -> str:
    owners = sum(verdict.has_owner for verdict in verdicts)
    lines = sum(verdict.has_line for verdict in verdicts)
    return f"owner {owners}/{len(verdicts)}, line {lines}/{len(verdicts)}"


def counts(arguments: argparse.Namespace, suite: str, version: str, after: Run, verdicts: Sequence[Verdict]) -> Any:
    """The counts of one suite, as `field_notes.py` wants them."""
    return {
        "suite": suite,
        "version": version,
        "tests": after.report["evidence"]["tests_run"],
        "depth": arguments.depth,
        "secaudit": after.report["tool"]["version"],
        "seed": arguments.seed,
        "planted": len(verdicts),
        "found": sum(verdict.found for verdict in verdicts),
        "owner": sum(verdict.has_owner for verdict in verdicts),
        "line": sum(verdict.has_line for verdict in verdicts),
        "missed": [f"{v.leak.name} ({v.leak.spot}): {said(v)}" for v in verdicts if not v.has_line],
    }


def save(path: Path, new: Any) -> None:
    """Put the counts of one suite in the place of its earlier ones."""
    every = json.loads(path.read_bytes()) if path.is_file() else []
    kept = [old for old in every if which(old) != which(new)]
    kept = sorted([*kept, new], key=which)
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8", newline="\n")


def which(entry: Any) -> tuple[str, str, int]:
    """Which run it is: another of the same takes its place."""
    return entry["suite"], entry["depth"], entry["seed"]


# --- the command line


def main() -> int:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = (arguments.keep or Path(folder)).resolve() / arguments.suite.name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(arguments.suite, copy, symlinks=True, ignore=shutil.ignore_patterns("venv", ".git", ".tox"))
        try:
            return planted_and_found(copy, arguments)
        except RunError as error:
            print(f"planted.py: a run failed: {error}", file=sys.stderr)
            return 1


def planted_and_found(copy: Path, arguments: argparse.Namespace) -> int:
    before = run(copy, arguments)
    suite = Suite(copy, before.passed, arguments.seed)
    spots = plant_all(suite, KINDS[arguments.kinds])
    places = written(suite)
    after = run(copy, arguments, "-p", PLUGIN)
    verdicts = [judge(leak, spot, places, before, after) for leak, spot in spots.items()]
    for line in table(verdicts):
        print(line)
    for node_id in sorted(after.failed.intersection(before.passed)):
        print(f"fails because of the leaks: {node_id}")
    print(f"{arguments.suite.name}, {len(after.passed)} tests passed: {totals(verdicts)}")
    if arguments.save:
        name, _, version = arguments.suite.name.rpartition("-")
        save(SAVED, counts(arguments, name, version, after, verdicts))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("suite", type=Path, help="the folder of the suite, named like NAME-VERSION")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to run it with (default: this one)")
    parser.add_argument("--tests", action="append", help="what pytest is to run there (default: tests)")
    parser.add_argument("--kinds", choices=sorted(KINDS), default="process", help="of what (default %(default)s)")
    parser.add_argument("--depth", help="the depth of the audit (default: that of the kinds)")
    parser.add_argument("--seed", type=int, default=4, help="another choice of places (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one run (default %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to make the copy, and leave it")
    parser.add_argument("--save", action="store_true", help="keep the counts in docs/field-notes/planted.json")
    parser.add_argument("options", nargs="*", metavar="PYTEST_ARGUMENT", help="more for pytest, after --")
    arguments = parser.parse_args()
    arguments.suite = arguments.suite.resolve()
    arguments.tests = arguments.tests or ["tests"]
    arguments.depth = arguments.depth or arguments.kinds
    if os.sep in arguments.python:
        arguments.python = os.path.abspath(arguments.python)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
