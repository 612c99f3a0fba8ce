"""How many children one caller is shown for one purpose on one day: an alarm, then an end.

Nothing is refused that brings a report in, and no write: only reading is counted. Three figures of
each caller, purpose and day lie in memory that the processes of one machine share: whose they are,
how many children were shown since the last of them was written down, and how many there were then,
on all machines. Whoever makes a chunk full writes it down, in the transaction of that request; so
of a hundred children one costs a statement, and the others a look at memory. Nobody locks the
figures: two processes that count in one microsecond may count once. What was not written down is
lost with the machine.

A child that one was shown already that day for that purpose counts no more: a mark of both lies in
memory too. It tells nobody which child. A mark is let go when another falls on its place, and each
machine has its own: then a child may count again. The figures of a caller lie in one of eight
cells; where others have all eight, those of another day are let go first, then whoever was shown
least. So a count is short by a chunk for each machine at most, and too long by who was shown one
child on several machines, or after so many others.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from uuid import UUID

from app.access.events import Alarm, AlarmRaised
from app.access.principal import Principal
from app.core.clock import beginning
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events
from app.core.problems import Problem
from app.core.processes import shared
from app.policy import queries as policy
from app.regions.rules import NATION, level_of

_CELLS: Final = 2**20
_WAYS: Final = 8
"""Of 400,000 who read on one day, one in a thousand meets more than eight for as many cells."""
_DAYS: Final = 2**8
"""Days are kept modulo this, in what says whose a cell is."""
_MARKS: Final = 2**23
"""Places for marks, of four bytes: of five million on one day a quarter took another's place."""
_PRIME: Final = 2**61 - 1
_children: Final = policy.lookup("reading.children_per_day")
_looks: Final = policy.lookup("elsewhere.looks_per_day")


class Kind(StrEnum):
    """What is counted."""

    children = "children"
    """Children that lists, searches and files showed, each once."""
    looks = "looks"
    """Looks from elsewhere, whoever they found."""


_ALARMS: Final = {Kind.children: Alarm.children_read, Kind.looks: Alarm.looked_elsewhere}


class BudgetSpent(Problem, status=429, denies=True):
    """Nobody needs so many children for one purpose on one day."""

    title = "You read as much for this purpose today as one caller may"
    title_zh = "您今天以该目的查阅的数量已达上限"


@dataclass(frozen=True, slots=True)
class Marks:
    """From how many on somebody is told, and from how many on no more is shown that day."""

    alarm: int
    refuse: int

    @property
    def chunk(self) -> int:
        """How many are counted in memory before they are written down."""
        return max(100, self.alarm // 64)


@lru_cache(maxsize=4096)
def marks_of(kind: Kind, person: bool, region_code: int, day: date) -> Marks:  # noqa: FBT001
    """Return the marks of a person, or of a system by how much of a place it serves."""
    said: Mapping[str, Mapping[str, int]]
    said = {Kind.children: _children, Kind.looks: _looks}[kind](region_code, day)
    level = "nation" if region_code == NATION else str(level_of(region_code))
    return Marks(**said["person" if person else level])


# Held until the commit: of two that cross a mark at one moment, one announces it.
_TAKE: Final = """
INSERT INTO reading_tallies AS t
    (id, subject, agency_id, day, purpose, kind, role, region_code, counted, since)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (subject, agency_id, day, purpose, kind) DO UPDATE
SET counted = t.counted + excluded.counted
RETURNING id, counted, alarmed_at, refused_at
"""
_CROSS: Final = """
UPDATE reading_tallies SET alarmed_at = coalesce(alarmed_at, $2),
    refused_at = CASE WHEN $3 THEN $2 END
WHERE id = $1
"""


async def take(tx: Tx, principal: Principal, kind: Kind, number: int) -> int:
    """Write down that so many more were shown, and tell who supervises when a mark is crossed;
    return how many there are now. One statement. Raises BudgetSpent if there are more than may be.
    """
    total, marks = await _write(tx, principal, kind, number)
    if total > marks.refuse:
        raise _spent(tx, marks)
    return total


async def _write(tx: Tx, principal: Principal, kind: Kind, number: int) -> tuple[int, Marks]:
    marks = marks_of(kind, principal.staff_id is not None, principal.region_code, tx.today)
    row = await tx.connection.fetchrow(
        _TAKE,
        new_id(),
        principal.subject,
        principal.agency_id,
        tx.today,
        principal.purpose,
        kind,
        principal.role.code,
        principal.region_code,
        number,
        tx.now,
    )
    total: int = row["counted"]
    ended = total >= marks.refuse and row["refused_at"] is None
    if ended or (total >= marks.alarm and row["alarmed_at"] is None):
        await tx.connection.execute(_CROSS, row["id"], tx.now, ended)
        await events.publish(
            tx,
            AlarmRaised(
                subject_id=row["id"],
                region_code=principal.region_code,
                home_county=principal.region_code,
                alarm=_ALARMS[kind],
                counted=min(total, 1_000_000),
                by_agency_id=principal.agency_id,
                by_role=principal.role.code,
                purpose=principal.purpose,
                mark="refuse" if ended else "alarm",
                known_to=(principal.agency_id,),
            ),
        )
    return total, marks


def _spent(tx: Tx, marks: Marks) -> BudgetSpent:
    until = beginning(tx.today + timedelta(days=1))
    return BudgetSpent(
        f"{marks.refuse} for this purpose until {until.isoformat()}. Ask the administrator of your"
        " agency, or civil affairs of your county, who were told: the mark is a parameter of the"
        " policy there. Reports to the police are taken as always.",
        headers={"retry-after": str(max(1, int((until - tx.now).total_seconds())))},
    )


class ReadingBudgets:
    """What is counted in memory. Make it before the processes that are to share it."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)
        self.whose = shared(_CELLS).cast("q")
        self.since = shared(_CELLS).cast("q")
        self.before = shared(_CELLS).cast("q")
        self.shown = shared(_MARKS // 2).cast("I")

    def require(self, tx: Tx, principal: Principal) -> "Counted":
        """Refuse who was shown all they may be, else return where theirs is counted. No statement.
        Raises BudgetSpent.
        """
        counted = self.of(tx, principal)
        cell = counted.known()
        if cell is not None and self.shown_in(cell) >= counted.marks.refuse:
            raise _spent(tx, counted.marks)
        return counted

    def of(self, tx: Tx, principal: Principal) -> "Counted":
        """Return where is counted what a caller is shown. No statement."""
        said = f"{principal.subject} {principal.purpose} {tx.today.toordinal()}".encode()
        key = principal.agency_id.bytes + said
        found = blake2b(key, digest_size=16, key=self._secret).digest()
        person = principal.staff_id is not None
        whose = int.from_bytes(found[8:], signed=True)
        return Counted(
            self,
            int.from_bytes(found[:8]) % (_CELLS // _WAYS) * _WAYS,
            (whose - whose % _DAYS + tx.today.toordinal() % _DAYS) or _DAYS,
            int.from_bytes(found) | 1,
            marks_of(Kind.children, person, principal.region_code, tx.today),
        )

    def shown_in(self, cell: int) -> int:
        """Return how many were shown to whose a cell is, as far as is known here."""
        return self.before[cell] + self.since[cell]


class Counted(NamedTuple):
    """Where what a caller is shown for one purpose on one day is counted, and up to what marks.
    `place`: the first of the cells that it may be.
    """

    budgets: ReadingBudgets
    place: int
    whose: int
    factor: int
    marks: Marks

    def known(self) -> int | None:
        """Return the cell that is theirs; None if all are others', or of other days."""
        ours = self.budgets.whose
        return next((cell for cell in self._cells if ours[cell] == self.whose), None)

    @property
    def _cells(self) -> range:
        return range(self.place, self.place + _WAYS)

    def _taken(self) -> int:
        """Return the cell that is theirs, if need be from now on."""
        kept, cell = self.budgets, self.known()
        if cell is None:  # what the other had is let go
            cell = min(self._cells, key=self._is_missed)
            kept.whose[cell], kept.since[cell], kept.before[cell] = self.whose, 0, 0
        return cell

    def _is_missed(self, cell: int) -> int:
        whose = self.budgets.whose[cell]
        of_today = whose % _DAYS == self.whose % _DAYS
        return self.budgets.shown_in(cell) if whose and of_today else -1

    async def add(self, tx: Tx, principal: Principal, children: Sequence[UUID]) -> None:
        """Count children that are being shown, each once. A statement once a chunk."""
        kept, cell = self.budgets, self._taken()
        kept.since[cell] += sum(map(self._is_first, children))
        if kept.since[cell] < self.marks.chunk:
            return
        number, kept.since[cell] = kept.since[cell], 0
        total, _ = await _write(tx, principal, Kind.children, number)
        kept.before[self._taken()] = total  # the cell may be another's meanwhile

    def _is_first(self, child: UUID) -> bool:
        """Mark that a child is shown; tell whether it was not yet, as far as that is known."""
        mark, place = divmod(child.int * self.factor % _PRIME, _MARKS)
        mark = (mark & 0xFFFFFFFF) or 1
        first = bool(self.budgets.shown[place] != mark)
        if first:
            self.budgets.shown[place] = mark
        return first
