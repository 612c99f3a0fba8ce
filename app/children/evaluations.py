"""Which evaluation of a guardian a file tells of, and what becomes of it (RSK-03). Pure.

One counts that says who evaluated, on which day and on what grounds.
"""

from datetime import date
from typing import NamedTuple

from app.children.sections import File
from app.children.sections.guardianship import Guardianship


class Told(NamedTuple):
    """The day of an evaluation that says nothing any more, and of one that is new."""

    void: date | None
    new: date | None


def told_anew(before: File | None, after: File, today: date) -> Told:
    """Return what a file tells now and did not before; None: it is new. Void is an evaluation of
    this year: that of another guardian, or taken out. Those of earlier years have been made.
    """
    was, now = before.guardianship if before else Guardianship(), after.guardianship
    replaced = _guardian(was) != _guardian(now)
    made, stands = _founded(was), _founded(now)
    void = made is not None and made.year == today.year and (replaced or stands is None)
    return Told(made if void else None, stands if _said(was) != _said(now) else None)


def _founded(said: Guardianship) -> date | None:
    return said.evaluated_on if said.founded else None


def _guardian(said: Guardianship) -> tuple[object, ...]:
    return said.kind, said.guardian and said.guardian.name


def _said(said: Guardianship) -> tuple[object, ...]:
    return said.evaluation, said.evaluated_on, said.evaluated_by, said.evaluation_grounds
