"""Who oversees whose checks, and when one counts."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from app.agencies.models import AgencyKind

OVERSEEN: Final[Mapping[str, tuple[str, ...]]] = {
    "civil_affairs": (
        *(AgencyKind.welfare_institution, AgencyKind.rescue_institution, AgencyKind.social_work),
        *(AgencyKind.village_committee, AgencyKind.township_government),
    ),
    "education_authority": (
        *(AgencyKind.school, AgencyKind.kindergarten, AgencyKind.training_institution),
        *(AgencyKind.after_school_care, AgencyKind.school_bus_provider),
        AgencyKind.activity_centre,
    ),
}
"""Agencies whose people a role checks in its place, beside those of its own."""

ASKED: Final = (AgencyKind.police, AgencyKind.procuratorate)
"""Who answers (未保法 Art. 62)."""


def due_on(clear_on: date | None, since: date, every: int) -> date:
    """Say by which day somebody who has a post near children since a day must be clear anew: the
    first day it counts no more.
    """
    return since if clear_on is None else clear_on + timedelta(days=every)
