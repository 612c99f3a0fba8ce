"""Who owes an answer, what may be done about a question, and when offices agree. Pure."""

from collections.abc import Mapping
from typing import Final

from app.regions.rules import Level, level_of, parent_of
from app.unresolved.models import UnresolvedAnswer, UnresolvedKind

OWNERS: Final[Mapping[str, tuple[UnresolvedKind, ...]]] = {
    "township_supervisor": (
        *(UnresolvedKind.visit, UnresolvedKind.two_entries, UnresolvedKind.report),
    ),
    "civil_affairs": (
        *(UnresolvedKind.visit, UnresolvedKind.two_entries, UnresolvedKind.report),
        *(UnresolvedKind.referral, UnresolvedKind.handover),
    ),
    "education_authority": (UnresolvedKind.attendance,),
}
"""Roles that see the questions of their region, and of which kinds. All others see those about what
their own agency sent.
"""

ABOVE_SCHOOLS: Final[Mapping[str, str]] = {
    "education": "education_authority",
    "civil_affairs": "civil_affairs",
    "township_government": "township_supervisor",
}
"""Kinds of agencies and their roles: the first of which there is one above a school sees and
settles what its systems sent about pupils nobody knows, as the school itself does.
"""

MOST_WAITING: Final[Mapping[UnresolvedKind, int]] = {
    UnresolvedKind.visit: 2_000,
    UnresolvedKind.attendance: 20_000,
}
"""Of one agency: one who floods the queue fills their own share of it, and buries nobody."""

TOLD_BY: Final[Mapping[UnresolvedKind, str]] = {
    UnresolvedKind.visit: "visits:write",
    UnresolvedKind.attendance: "attendance:write",
}
"""The scope by which what waits is sent: what a post must have granted on the day it tells of."""

ANSWERS: Final[Mapping[UnresolvedKind, frozenset[UnresolvedAnswer]]] = {
    UnresolvedKind.referral: frozenset(
        {UnresolvedAnswer.same_child, UnresolvedAnswer.another_child, UnresolvedAnswer.number_wrong}
    ),
    UnresolvedKind.two_entries: frozenset(
        {UnresolvedAnswer.one_visit, UnresolvedAnswer.two_visits}
    ),
}
"""What can be answered to what."""


def owner_of(kind: UnresolvedKind, region_code: int) -> tuple[str, int]:
    """Return role and place that owe an answer to what somebody at a place sent: the school itself
    for its pupils, else the township, or whoever does above it what townships do below.
    """
    if kind is UnresolvedKind.attendance:
        return "school", region_code
    level = level_of(region_code)
    if level is Level.VILLAGE:
        return "township_supervisor", parent_of(region_code) or region_code
    return ("township_supervisor" if level is Level.TOWNSHIP else "civil_affairs"), region_code


def agreed(
    ours: UnresolvedAnswer, theirs: UnresolvedAnswer | None, *, alone: bool
) -> UnresolvedAnswer | None:
    """Return what two offices have agreed on, or None. One who finds the own number wrong agrees
    with whatever the other says; an office that is `alone` agrees with itself.
    """
    if alone or ours is theirs or ours is UnresolvedAnswer.number_wrong:
        return ours
    return UnresolvedAnswer.number_wrong if theirs is UnresolvedAnswer.number_wrong else None
