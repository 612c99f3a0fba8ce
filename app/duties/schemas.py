"""What travels on the wire about duties."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.http.wire import Input, Permitted, Prose, RegionCode, Version
from app.duties.area import RuleName

Code = Annotated[str, Field(max_length=60, pattern=r"^[A-Za-z0-9_.:-]+$")]
Title = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
Count = Annotated[int, Field(ge=0, le=2_000_000_000)]
Quarter = Annotated[str, Field(max_length=6, pattern=r"^[0-9]{4}Q[1-4]$")]
Actor = Annotated[str, Field(max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$")]
Period = Annotated[str, Field(max_length=11, pattern=r"^[0-9]{4}[0-9A-Z-]*$")]


class DutyState(StrEnum):
    """Where a duty stands."""

    open = "open"
    """Owed, and there is time."""
    overdue = "overdue"
    """Owed, and the time is over."""
    discharged = "discharged"
    """Done. If `overdue_at` is set, no word of it had come when it was due: late, unless
    `discharged_on` is before that. `late_before_at`: it was late before."""
    cancelled = "cancelled"
    """It was not owed after all, or nobody owes it any more."""
    lapsed = "lapsed"
    """Not done while it was owed; the child is not one of those any more for whom it is."""
    waived = "waived"
    """Not to be done: two persons who may say so agreed, for a reason."""


class Bearer(BaseModel):
    """Who owes it: an agency, or the holder of a post of this role in the duty's region."""

    role: Code = Field(description="Role that owes it.", examples=["village_director"])
    agency_id: UUID | None = Field(description="The agency, if one owes it as a whole.")
    stands_in_for: Code | None = Field(
        description="The role whose post is empty: it owes it again as soon as there is somebody;"
        " null: nobody stands in."
    )


class Duty(BaseModel):
    """One thing somebody owes, until when, and what discharged it."""

    id: UUID = Field(
        description="The duty's id.", examples=["0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"]
    )
    rule: RuleName = Field(description="The obligation it follows from.")
    title_zh: Title = Field(description="What must be done, in Chinese.")
    title_en: Title = Field(description="What must be done, in English.")
    child_id: UUID | None = Field(description="The child concerned, where it is known.")
    subject_id: UUID = Field(description="What it is about: the child, visit, alert or report.")
    region_code: RegionCode
    bearer: Bearer
    priority: bool = Field(description="The child must be visited without exception (VIS-02).")
    period: Period | None = Field(
        description="What it is owed for: a quarter (2026Q4), month (2026-11), week (2026W48), two"
        " weeks (their first day and F), half (2026H2), year, year up to a day (2026-07-15), term"
        " (2026T1) or school year (2026S);"
        " null for a duty that arose from an event.",
        examples=["2026Q4"],
    )
    state: DutyState = Field(description="Where it stands.")
    opened_at: datetime = Field(
        description="When it arose. Not before `due_at`: it was found late that it had been owed,"
        " and nobody could know of it in time."
    )
    due_at: datetime = Field(description="When it is overdue, unless discharged before.")
    overdue_at: datetime | None = Field(
        description="When it was found overdue, or was due, if that was not found yet; stays when"
        " it is discharged late."
    )
    late_before_at: datetime | None = Field(
        description="When it was first found overdue before it was opened again; null if never."
    )
    discharged_at: datetime | None = Field(description="When evidence of the deed arrived.")
    discharged_on: date | None = Field(description="Day of the deed.")
    discharged_by: UUID | None = Field(description="The deed: a visit, alert or report.")
    version: Version
    permitted: Permitted


class DutyWaiverCreate(Input):
    """That what somebody owes need not be done."""

    reason: Prose = Field(description="Why; kept encrypted, shown to whom the duty is known.")


class Waiver(BaseModel):
    """That a duty need not be done: proposed by one person, true once a second approved."""

    reason: Prose = Field(description="Why.")
    proposed_by: Actor = Field(description="Who proposed it.")
    proposed_at: datetime = Field(description="When.")
    approved_by: Actor | None = Field(description="Who approved; null: nobody did yet.")
    approved_at: datetime | None = Field(description="When.")


class Telling(BaseModel):
    """Who was told that a duty is overdue."""

    at: datetime = Field(description="When they were told.")
    due_at: datetime = Field(description="When it had been due.")
    to: list[Code] = Field(max_length=10, description="The roles told.")


class HeldThen(BaseModel):
    """Somebody who held the post that owes a duty."""

    post_id: UUID = Field(description="The post; its holders are listed there.")
    staff_id: UUID = Field(description="The person.")
    since: date = Field(description="First day.")
    until: date | None = Field(description="The first day they held it no longer; null: they do.")


class DutyRecord(Duty):
    """A duty, and what became of it."""

    held_then: list[HeldThen] = Field(
        max_length=100,
        description="Who held the post that owes it when it arose, or, found late, when it was"
        " due; empty: nobody, or an agency owes it.",
    )
    waiver: Waiver | None = Field(description="Why it need not be done; null: nobody said so.")
    told: list[Telling] = Field(
        max_length=1000, description="Who was told when that it is overdue, oldest first."
    )


class DutyCounts(BaseModel):
    """How the duties of one rule stand."""

    rule: RuleName = Field(description="The obligation.")
    title_zh: Title = Field(description="What must be done, in Chinese.")
    title_en: Title = Field(description="What must be done, in English.")
    open: Count = Field(description="Owed, in time.")
    overdue: Count = Field(description="Owed, too late.")
    discharged: Count = Field(description="Done, late ones included.")
    discharged_late: Count = Field(
        description="Done, but too late, now or before it was opened again."
    )
    recorded_late: Count = Field(
        description="Done in time, but word of it came when it was overdue; not in"
        " `discharged_late`."
    )
    cancelled: Count = Field(description="Not owed any more.")
    lapsed: Count = Field(description="Not done while it was owed.")
    waived: Count = Field(description="Not to be done, as two persons said.")


class CoverageGroup(StrEnum):
    """How the children of a coverage row are chosen."""

    all = "all"
    priority = "priority"
    """Any priority flag: every one of them must be visited (VIS-02)."""
    category = "category"
    priority_flag = "priority_flag"


class Coverage(BaseModel):
    """How many children of a group were visited in the quarter (VIS-01, VIS-02)."""

    group: CoverageGroup = Field(description="How the group is chosen.")
    code: Code | None = Field(description="The category or flag; null for `all` and `priority`.")
    owed: Count = Field(description="Children who must be visited.")
    visited: Count = Field(description="Children visited in the quarter.")
    lapsed: Count = Field(
        description="Of `owed`: not visited while they were in the group, which they left since."
    )
    gap: Count = Field(description="Children not visited: `owed` less `visited`.")


class DutySummary(BaseModel):
    """Where the duties of a region stand in a quarter."""

    period: Quarter = Field(description="The quarter.", examples=["2026Q4"])
    region_code: RegionCode
    rules: list[DutyCounts] = Field(
        max_length=100, description="Per rule: duties of the quarter, and older ones still owed."
    )
    coverage: list[Coverage] = Field(
        max_length=500, description="Visits of the quarter, by group of children."
    )
    opened: bool = Field(
        description="Whether the nightly opening has come through since the quarter began. False:"
        " what is owed in it is not all known yet, and what is missing here may be owed all the"
        " same."
    )
    as_of: datetime | None = Field(
        default=None,
        description="Of a place larger than a county: when the earliest part of it was counted,"
        " mostly within the hour; what fell due since is counted as overdue. Null: it was counted"
        " now.",
    )
