"""What a file says that must be reported to the police (REP-01), by the codes of
`report.situations`: whoever writes it has found it. Pure.
"""

from collections.abc import Mapping
from typing import Final, Literal

from app.children.conditions import UNDER_8, UNDER_16
from app.children.sections import File
from app.children.sections.guardianship import Harm

Situation = Literal[
    "living_alone", "guardian_failure", "abandoned", "domestic_violence", "accident_or_harm"
]
_HARMED: Final[Mapping[Harm, Situation]] = {
    "abuse": "domestic_violence",
    "abandonment": "abandoned",
    "accident": "accident_or_harm",
    "unlawful_harm": "accident_or_harm",
}


def told_anew(before: File | None, after: File, age: int) -> list[Situation]:
    """Return what a file says now and did not before; None: it is new."""
    return sorted(_told(after, age) - (_told(before, age) if before else set()))


def _told(file: File, age: int) -> set[Situation]:
    guardianship = file.guardianship
    found = {_HARMED[each] for each in guardianship.harm}
    if age < UNDER_16 and "alone" in file.residence.lives_with:
        found.add("living_alone")
    if guardianship.kind == "none" or (age < UNDER_8 and guardianship.left_unwatched):
        found.add("guardian_failure")
    return found
