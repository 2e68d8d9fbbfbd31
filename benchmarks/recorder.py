"""A pytest plugin that writes down what a run reports, for `nothing_changed.py`.

Loaded with ``-p`` under another name. It writes JSON lines to the file that ``NOTHING_CHANGED_RECORD`` names, one
for each thing that pytest told its plugins, and flushes each, so that a run that dies leaves what it had. Under
pytest-xdist only the controller writes. It looks and changes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, TextIO
from warnings import WarningMessage

import pytest

VARIABLE = "NOTHING_CHANGED_RECORD"


def pytest_configure(config: pytest.Config) -> None:
    if VARIABLE in os.environ and not hasattr(config, "workerinput"):
        file = open(os.environ[VARIABLE], "w", encoding="utf-8")  # noqa: SIM115 the recorder closes it
        config.pluginmanager.register(Recorder(file), "nothing-changed")


class Recorder:
    """Writes one line per event, with its kind under ``kind``."""

    def __init__(self, file: TextIO) -> None:
        # Bound now: a suite may replace or freeze what it finds in modules.
        self._file = file
        self._write = file.write
        self._flush = file.flush
        self._dumps = json.dumps

    def _record(self, kind: str, **values: object) -> None:
        self._write(self._dumps({"kind": kind, **values}, default=repr) + "\n")
        self._flush()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:  # the controller of pytest-xdist has none of its own
            self._record("collected", ids=[item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._record("collected", ids=list(ids))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._record(
            "collect report",
            nodeid=report.nodeid,
            outcome=report.outcome,
            sections=[list(section) for section in report.sections],
            longrepr=report.longreprtext,
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._record(
            "report",
            nodeid=report.nodeid,
            type=type(report).__name__,
            when=report.when,
            outcome=report.outcome,
            wasxfail=getattr(report, "wasxfail", None),
            sections=[list(section) for section in report.sections],
            longrepr=report.longreprtext,
            location=list(report.location),
            keywords=sorted(map(str, report.keywords)),
            properties=[[str(name), str(value)] for name, value in report.user_properties],
        )

    def pytest_warning_recorded(self, warning_message: WarningMessage, when: str, nodeid: str) -> None:
        category: Any = warning_message.category
        self._record(
            "warning",
            message=str(warning_message.message),
            category=f"{category.__module__}.{category.__qualname__}",
            filename=warning_message.filename,
            lineno=warning_message.lineno,
            when=when,
            nodeid=nodeid,
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._record("session finish", status=int(exitstatus))

    def pytest_unconfigure(self) -> None:
        self._record("end")
        self._file.close()
