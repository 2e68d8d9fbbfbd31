"""What a process sends home: plain data in one ASCII JSON string.

A string, because a lone surrogate, an Enum or a Path inside a dict has killed whole xdist runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from pytest_secaudit.lean import lean
from pytest_secaudit.model import NotAudited
from pytest_secaudit.notes import Note
from pytest_secaudit.notes import from_plain as note_from_plain
from pytest_secaudit.policy import Placed
from pytest_secaudit.reading import Reading, from_plain, to_plain
from pytest_secaudit.suppressions import Suppression
from pytest_secaudit.watch import record
from pytest_secaudit.watch.record import Claimed, Watched

#: The attribute of a report, and the key of a worker's output, under which the cargo travels.
CARRIER = "secaudit"


@lean
@dataclass(frozen=True, slots=True)
class Cargo:
    """Readings (live questions answered), ignores that only items know, what could not be read, and what was watched.

    Attributes:
        notes: path -> what a review says of the file by reading it; empty where nobody asked for a review.
    """

    readings: tuple[Reading, ...] = ()
    markers: tuple[Placed, ...] = ()
    not_audited: tuple[NotAudited, ...] = ()
    seconds: float = 0.0
    watched: Watched | None = None
    notes: Mapping[str, tuple[Note, ...]] = field(default_factory=dict)


def worker_id(config: object) -> str:
    """``gw0`` in a worker of pytest-xdist, else an empty string."""
    return str(getattr(config, "workerinput", {}).get("workerid", ""))


def pack(cargo: Cargo) -> str:
    """The cargo as an ASCII string."""
    return json.dumps(
        {
            "readings": [to_plain(reading) for reading in cargo.readings],
            "markers": [[placed.path, asdict(placed.suppression)] for placed in cargo.markers],
            "not_audited": [[item.path, item.reason] for item in cargo.not_audited],
            "seconds": cargo.seconds,
            "watched": record.to_plain(cargo.watched) if cargo.watched else None,
            "notes": {path: list(map(asdict, found)) for path, found in cargo.notes.items()},
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
        watched=record.from_plain(data["watched"]) if data["watched"] else None,
        notes={path: tuple(map(note_from_plain, found)) for path, found in data["notes"].items()},
    )


def readings_in(cargos: Iterable[Cargo]) -> Iterable[Reading]:
    """One of each file: what live values speak against is dropped where all processes say so.

    In one of them an earlier test may have left behind the very value that the suspected line sets.
    """
    found: dict[str, Reading] = {}
    for reading in (reading for cargo in cargos for reading in cargo.readings):
        known = found.setdefault(reading.path, reading)
        if known.hits != reading.hits:
            hits = {hit.fingerprint: hit for hit in (*known.hits, *reading.hits)}
            in_order = sorted(hits.values(), key=lambda hit: (hit.line, hit.column, hit.code))
            found[reading.path] = replace(known, hits=tuple(in_order))
    return found.values()


def joined(parts: Iterable[Watched]) -> Watched:
    """What all processes watched, in the order it came home: a later record of a claim replaces an earlier one."""
    claims: dict[tuple[str, int], Claimed] = {}
    whole = Watched()
    for part in parts:
        claims.update({(claim.source, claim.serial): claim for claim in part.claims})
        whole = replace(
            whole,
            slept=whole.slept + part.slept,
            contacts=whole.contacts + part.contacts,
            noticed=whole.noticed + part.noticed,
            watchers={
                **whole.watchers,
                **part.watchers,
                **{name: state for name, state in whole.watchers.items() if state != "on"},
            },
            fixtures=tuple(dict.fromkeys(whole.fixtures + part.fixtures)),
            slept_s=whole.slept_s + part.slept_s,
            slept_in_threads_s=whole.slept_in_threads_s + part.slept_in_threads_s,
            seconds=whole.seconds + part.seconds,
            costs={
                name: whole.costs.get(name, 0.0) + part.costs.get(name, 0.0) for name in {**whole.costs, **part.costs}
            },
            bodies={**whole.bodies, **part.bodies},
            lines=whole.lines + part.lines,
            simulated=whole.simulated + part.simulated,
            fixtures_ran=whole.fixtures_ran + part.fixtures_ran,
            replaced=whole.replaced + part.replaced,
            executed=whole.executed + part.executed,
        )
    return replace(whole, claims=tuple(claims.values()))
