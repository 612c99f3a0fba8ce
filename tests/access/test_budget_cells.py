"""Callers whose figures lie in the same cells of memory are counted each as if alone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest

from app.access import budgets
from app.access.budgets import BudgetSpent, Marks, ReadingBudgets
from app.access.roles import Purpose, role
from app.core.clock import local_date

AGENCY: Final = UUID(int=1)
PERSON: Final = UUID(int=2)
NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


@dataclass
class At:
    """A transaction, as far as memory looks at it."""

    now: datetime = NOW

    @property
    def today(self):
        return local_date(self.now)


@dataclass
class Somebody:
    subject: str
    agency_id: UUID = AGENCY
    staff_id: UUID = PERSON
    purpose: Purpose = Purpose.care
    region_code: int = 120119101201
    role: object = field(default_factory=lambda: role("village_director"))


@pytest.fixture
def written(monkeypatch):
    """What was written down of each, in place of the database; eight cells for all."""
    kept: dict[str, int] = {}
    marks = Marks(alarm=4, refuse=9)
    monkeypatch.setattr(budgets, "_CELLS", 8)
    monkeypatch.setattr(Marks, "chunk", 5)
    monkeypatch.setattr(budgets, "marks_of", lambda *_: marks)

    async def write(tx, principal, kind, number):
        kept[principal.subject] = kept.get(principal.subject, 0) + number
        return kept[principal.subject], marks

    monkeypatch.setattr(budgets, "_write", write)
    return kept


async def read(made: ReadingBudgets, who: Somebody, children: int = 1, tx: At | None = None):
    at = tx or At()
    counted = made.require(at, who)
    await counted.add(at, who, [uuid4() for _ in range(children)])


async def test_eight_who_take_turns_come_to_their_end_each(written) -> None:
    made, eight = ReadingBudgets(), [Somebody(f"staff:{n}") for n in range(8)]
    for _ in range(9):
        for each in eight:
            await read(made, each)
    assert written == {each.subject: 5 for each in eight}
    for each in eight:
        with pytest.raises(BudgetSpent):
            made.require(At(), each)


async def test_who_was_shown_least_is_let_go_for_a_ninth(written) -> None:
    made, much = ReadingBudgets(), Somebody("staff:much")
    await read(made, much, 9)
    for n in range(100):
        await read(made, Somebody(f"staff:{n}"))
    with pytest.raises(BudgetSpent):
        made.require(At(), much)


async def test_yesterdays_are_let_go_before_anybodys_of_today(written) -> None:
    made, yesterday = ReadingBudgets(), At(NOW - timedelta(days=1))
    for n in range(7):
        await read(made, Somebody(f"staff:{n}"), 9, yesterday)
    one = Somebody("staff:one")
    for _ in range(4):
        await read(made, one)
        for n in range(7):
            await read(made, Somebody(f"staff:{n}"))
    await read(made, one)
    assert written[one.subject] == 5


async def test_what_one_was_shown_is_never_taken_for_anothers(written, monkeypatch) -> None:
    """Somebody else takes the cell while it is written down."""
    monkeypatch.setattr(budgets, "_CELLS", 1)
    monkeypatch.setattr(budgets, "_WAYS", 1)
    made, other = ReadingBudgets(), Somebody("staff:other")
    at_once = budgets._write

    async def write(tx, principal, kind, number):
        await read(made, other)
        return await at_once(tx, principal, kind, number)

    monkeypatch.setattr(budgets, "_write", write)
    await read(made, Somebody("staff:one"), 9)
    made.require(At(), other)
