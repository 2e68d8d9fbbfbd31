"""The till: what tests change in the whole process, and do not put back. Only a run can tell."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

os.environ["SHOP_TILL"] = "closed"  # planted: PSA113


def test_the_till_prints():
    sys.path.append("drivers")  # planted: PSA111
    assert "drivers" in sys.path


def test_the_till_prints_rightly(monkeypatch):
    monkeypatch.syspath_prepend("drivers")
    assert "drivers" in sys.path


def test_every_coin_is_logged():
    logging.getLogger("shop.till").setLevel(logging.DEBUG)  # planted: PSA112
    assert logging.getLogger("shop.till").isEnabledFor(logging.DEBUG)


def test_every_coin_is_logged_rightly(caplog):
    with caplog.at_level(logging.DEBUG, logger="shop.coins"):
        assert logging.getLogger("shop.coins").isEnabledFor(logging.DEBUG)


def test_the_till_opens():
    done = subprocess.run([sys.executable, "-c", "print('open')"], capture_output=True, text=True, check=True)  # planted: PSA902
    assert done.stdout == "open\n"
