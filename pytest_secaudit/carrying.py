"""What a process sends home: plain data in one ASCII JSON string.

A string, because a lone surrogate, an Enum or a Path inside a dict has killed whole xdist runs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pytest_secaudit.model import NotAudited
from pytest_secaudit.policy import Placed
from pytest_secaudit.reading import Reading, from_plain, to_plain
from pytest_secaudit.suppressions import Suppression

#: The attribute of a report, and the key of a worker's output, under which the cargo travels.
CARRIER = "secaudit"


@dataclass(frozen=True, slots=True)
class Cargo:
    """Readings (live questions answered), ignores that only items know, and what could not be read."""

    readings: tuple[Reading, ...] = ()
    markers: tuple[Placed, ...] = ()
    not_audited: tuple[NotAudited, ...] = ()
    seconds: float = 0.0


def pack(cargo: Cargo) -> str:
    """The cargo as an ASCII string."""
    return json.dumps(
        {
            "readings": [to_plain(reading) for reading in cargo.readings],
            "markers": [[placed.path, asdict(placed.suppression)] for placed in cargo.markers],
            "not_audited": [[item.path, item.reason] for item in cargo.not_audited],
            "seconds": cargo.seconds,
        }
    )


def unpack(text: str) -> Cargo:
    """The cargo that `pack` made the string of."""
    data = json.loads(text)
    return Cargo(
        readings=tuple(from_plain(reading) for reading in data["readings"]),
        markers=tuple(Placed(path, Suppression(**{**s, "codes": tuple(s["codes"])})) for path, s in data["markers"]),
        not_audited=tuple(NotAudited(path, reason) for path, reason in data["not_audited"]),
        seconds=data["seconds"],
    )
