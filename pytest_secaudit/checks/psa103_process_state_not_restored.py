"""A test, set-up or fixture changes a setting of the whole process and does not put it back on every path.

Signal handlers, the locale, the umask, resource limits, the default socket time-out, the logging level that is
switched off, `sys.argv`: there is one of each per process. What stays changed decides how later tests run, and hides
what they should have seen (no log is captured while `logging.disable` holds).

Instead: put it back in a `finally`, a fixture after its `yield` or a registered clean-up; `monkeypatch.setattr` for
the attributes of `sys`.

`sys.stdout` and `sys.stderr` are *info*: pytest's capture sets them anew for each phase of each test, so that they stay
changed only without capture (`-s`). Warning filters are not meant: pytest resets them after every test.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Check, Hit
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.left import Left, by_patching, left

BAD = (
    """
import locale
import logging
import os
import signal
import socket
import sys
import time

def test_never(app):
    signal.signal(signal.SIGALRM, app.handler)  # PSA103 advisory
    locale.setlocale(locale.LC_ALL, "de_DE")  # PSA103 advisory
    os.umask(0o077)  # PSA103 advisory
    socket.setdefaulttimeout(1)  # PSA103 advisory
    logging.disable(logging.CRITICAL)  # PSA103 advisory
    sys.setrecursionlimit(100)  # PSA103 advisory
    sys.argv = ["app", "--help"]  # PSA103 advisory
    sys.excepthook = app.hook  # PSA103 advisory
    assert app.run()

def test_straight(app):
    old = signal.signal(signal.SIGINT, app.handler)  # PSA103 advisory
    logging.disable(logging.ERROR)  # PSA103 advisory
    assert app.run()
    signal.signal(signal.SIGINT, old)
    logging.disable(logging.NOTSET)

def test_zone_is_not_set_again(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()  # PSA103 advisory
    assert run()

def test_collector(app):
    import gc
    gc.disable()  # PSA103 advisory
    assert app.run()
    gc.enable()

def test_output(app):
    sys.stdout = app.stream  # PSA103 info
    assert app.run()
    sys.stdout = sys.__stdout__
""",
)
GOOD = (
    """
import contextlib
import gc
import io
import locale
import logging
import os
import signal
import sys
import warnings
from unittest import mock
import pytest

def test_asks_only():
    locale.setlocale(locale.LC_ALL)
    mask = os.umask(0)
    os.umask(mask)
    signal.getsignal(signal.SIGINT)

def test_warnings_are_reset_by_pytest():
    warnings.simplefilter("error")

def test_finally(app):
    old = signal.signal(signal.SIGINT, app.handler)
    try:
        assert app.run()
    finally:
        signal.signal(signal.SIGINT, old)

@pytest.fixture
def german():
    saved = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "de_DE")
    yield
    locale.setlocale(locale.LC_ALL, saved)

@pytest.fixture(autouse=True)
def arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app"])

def test_arguments(app):
    sys.argv = ["other"]

@mock.patch("sys.platform", "win32")
def test_patched(app):
    sys.platform = "linux"

def test_redirected():
    with contextlib.redirect_stdout(io.StringIO()):
        sys.stdout = None

class Recorder:
    def __enter__(self):
        self.old = sys.stdout
        sys.stdout = self

    def __exit__(self, *args):
        sys.stdout = self.old

def test_own_context_manager():
    with Recorder():
        sys.stdout = None

def test_enabling():
    gc.enable()
    logging.disable(logging.NOTSET)

def test_handed_over(app):
    def child():
        signal.signal(signal.SIGTERM, app.handler)
    app.start(child)
""",
    """
import logging
import signal
import sys
import unittest

class TestQuiet(unittest.TestCase):
    def setUp(self):
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def test_signal_in_a_variable(self):
        which = signal.SIGUSR1
        old = signal.signal(which, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGUSR1, old)

    def test_signals_in_a_loop(self):
        for number in (1, 2):
            signal.signal(number, self.fail)
            self.addCleanup(signal.signal, number, signal.SIG_DFL)

    def test_it(self):
        self.patch(sys, "argv", ["app"])
        sys.argv = ["other"]

class TestTornDown(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        logging.disable(logging.CRITICAL)

    @classmethod
    def tearDownClass(cls):
        logging.disable(logging.NOTSET)
""",
)

_CAPTURED = ("sys.stdout", "sys.stderr")


def rule(module: TestModule) -> Iterator[Hit]:
    for found in left(module, "process"):
        if not found.weak:
            yield _hit(module, found)


def _hit(module: TestModule, found: Left) -> Hit:
    name = found.change.place.name
    captured = name in _CAPTURED
    return Hit(
        found.change.node,
        f"{found.message} (pytest does, unless run with -s)" if captured else found.message,
        fix="capsys, or contextlib.redirect_stdout"
        if captured
        else by_patching(module, found.change) or "put it back after a fixture's yield",
        severity=INFO if captured else None,
        subject=name,
        if_it_fails=found.restored is not None,
        unless=found.unless(module),
    )


CHECK = Check("PSA103", "process-state-not-restored", DEFECT, __doc__, BAD, GOOD, rule, cwe=459, suspected=ADVISORY)
