"""A worker of pytest-xdist: it reads what it runs, and sends that home with the reports of its tests."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest

from pytest_secaudit.careful import careful, noted
from pytest_secaudit.carrying import CARRIER, Cargo, pack, worker_id
from pytest_secaudit.offered import Offered
from pytest_secaudit.outfit import Outfit
from pytest_secaudit.static import StaticHalf


class WorkerAudit:
    """The hooks of a worker; the controller judges."""

    def __init__(self, config: pytest.Config, static: StaticHalf, outfit: Outfit | None, offered: Offered) -> None:
        self.config = config
        self.offered = offered
        self.static = static
        self.outfit = outfit
        self.troubles: list[tuple[str, str]] = []
        self._read: Cargo | None = None

    @careful
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.static.collect(session.items)

    @pytest.hookimpl(tryfirst=True)
    @careful
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        # What was suspected is known before the test runs, and live values are asked before it has changed them.
        self._read = self.static.cargo_of(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._load(report)
        return report

    @careful
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.outfit is not None:
            self.outfit.hooks.heard(report)

    @careful
    def _load(self, report: pytest.TestReport) -> None:
        cargo, self._read = self._read, None
        watched = self.outfit.news() if self.outfit is not None and report.when == "teardown" else None
        if cargo is not None or watched is not None:
            setattr(report, CARRIER, pack(replace(cargo or Cargo(), watched=watched)))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self.config.workeroutput[CARRIER] = pack(self._last_cargo() or Cargo())  # type: ignore[attr-defined]

    @careful
    def _last_cargo(self) -> Cargo:
        count = int(self.config.workerinput.get("workercount", 1))  # type: ignore[attr-defined]
        number = int(worker_id(self.config).lstrip("gw") or 0) % count
        cargo = self.static.rest(number, count)
        if self.outfit is not None:
            cargo = replace(cargo, watched=self.outfit.rest())
            self.troubles.extend(self.outfit.hooks.troubles)
        late = self.offered.late(self.config)  # the controller collects nothing, and has not seen them
        return replace(cargo, not_audited=(*cargo.not_audited, *noted(self.troubles), *late))
