"""The ledger of duties, and the evidence that discharges them."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.core.data import distribution, hiding, retention, rls, sampling, sealed
from app.core.data.columns import Instant, code_list

REASON: Final = "duties.waiver_reason"
DONE_BY_HIDDEN: Final = "state = 'discharged' AND rule = 'REP-01'"
"""Of a duty that was done by a deed that may be hidden: those of the rules with `evidence.deed`."""


_RULE: Final = 'rule COLLATE "C"'


class Duty(hiding.HiddenRow, table=True):
    """One thing somebody owes, under a rule of `rules.yaml`.

    `subject_id` is what it is about: the child, visit, alert or report. `period` is a quarter like
    `2026Q4`, or empty for a duty an event opened. A deed discharges it if it falls into
    `counts_from`…`counts_until`. `region_code` is where the child lives, for a quarter's duty as
    long as it is not discharged.

    `overseer_id`: the office that looks after the agency that owes it, wherever the child lives.

    `state`: `open`; `overdue` since `overdue_at`; `lapsed` at `lapsed_at`, when it was not done and
    the child is not one any more for whom it is owed; `discharged` by `discharged_by` (a visit,
    alert or report), keeping `overdue_at` if it came late; `cancelled` when nobody owes it;
    `waived` at `waived_at`, when `waived_by` agreed with what another person (`waiver_staff_id`)
    had proposed for a reason, which is sealed.
    """

    __tablename__ = "duties"
    __table_args__: Any = (
        CheckConstraint(
            "state IN ('open', 'overdue', 'lapsed', 'discharged', 'cancelled', 'waived')",
            name="state",
        ),
        CheckConstraint("(state = 'discharged') = (discharged_at IS NOT NULL)", name="discharged"),
        CheckConstraint("state <> 'overdue' OR overdue_at IS NOT NULL", name="overdue"),
        CheckConstraint("state <> 'waived' OR waived_at IS NOT NULL", name="waived"),
        PrimaryKeyConstraint("id", "home_county"),
        ForeignKeyConstraint(["home_county", "child_id"], ["children.home_county", "children.id"]),
        Index("uq_duties_owed", "home_county", "rule", "period", "subject_id", unique=True),
        Index("ix_duties_region_code_due_at", "region_code", "due_at", "id"),
        Index("ix_duties_county_code_due_at", "county_code", "due_at", "id"),
        # By rule: under a collation of its own, which only that list asks for. A plan made before
        # there were any would look for one child's duty among all of a rule.
        Index("ix_duties_county_rule_due_at", "county_code", text(_RULE), "due_at", "id"),
        Index(
            "ix_duties_county_code_owed",
            "county_code",
            "due_at",
            "id",
            postgresql_where=text("state IN ('open', 'overdue')"),
        ),
        # What fell due since its county was counted, and not what all are owed in a period.
        Index(
            "ix_duties_county_once_owed",
            "county_code",
            "due_at",
            postgresql_where=text("state IN ('open', 'overdue') AND period = ''"),
        ),
        Index("ix_duties_bearer_agency_id_due_at", "bearer_agency_id", "due_at", "id"),
        # What an agency owes still, and nothing of all that it ever owed.
        Index(
            "ix_duties_owed_by_agency",
            "bearer_agency_id",
            "rule",
            postgresql_where=text("state IN ('open', 'overdue')"),
        ),
        Index(
            "ix_duties_overseer_id_due_at",
            "overseer_id",
            "due_at",
            "id",
            postgresql_where=text("overseer_id IS NOT NULL"),
        ),
        Index(
            "ix_duties_told",
            "region_code",
            "id",
            postgresql_where=text("told_to IS NOT NULL"),
        ),
        # How many are late of what is in no county's count (`figures`).
        Index(
            "ix_duties_told_late",
            "rule",
            postgresql_where=text("told_to IS NOT NULL AND state = 'overdue'"),
        ),
        Index("ix_duties_child_id", "child_id"),
        Index("ix_duties_subject_id", "subject_id"),
        # For who sees all of them. Of a quarter all fall due at one moment.
        Index("ix_duties_due_at_id", "due_at", "id"),
        Index("ix_duties_state_due_at_id", "state", "due_at", "id"),
        Index("ix_duties_rule_due_at_id", text(_RULE), "due_at", "id"),
        Index("ix_duties_priority", "due_at", "id", postgresql_where=text("priority")),
        Index("ix_duties_waiver", "due_at", "id", postgresql_where=text("waiver_at IS NOT NULL")),
        # Counties come round: what each still owes, by whom, and what comes of it next; and nothing
        # of all that was ever owed.
        Index(
            "ix_duties_owed_in_county",
            "home_county",
            "bearer_agency_id",
            "rule",
            "region_code",
            postgresql_where=text("state IN ('open', 'overdue')"),
        ),
        Index(
            "ix_duties_due_in_county",
            "home_county",
            "due_at",
            "id",
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "ix_duties_escalates_in_county",
            "home_county",
            "escalates_at",
            "id",
            postgresql_where=text("state = 'overdue' AND escalates_at IS NOT NULL"),
        ),
        Index(
            "ix_duties_done_by_hidden", "region_code", "id", postgresql_where=text(DONE_BY_HIDDEN)
        ),
        Index("ix_duties_done_by_report", "discharged_by", postgresql_where=text(DONE_BY_HIDDEN)),
        *sampling.indexes("duties"),
    )

    id: UUID
    rule: str
    child_id: UUID | None
    subject_id: UUID
    home_county: int = Field(sa_type=BigInteger)
    region_code: int = Field(sa_type=BigInteger)
    county_code: int = Field(
        sa_column=Column(
            BigInteger, Computed("region_code / 1000000 * 1000000", persisted=True), nullable=False
        )
    )
    """Its county, so that an index serves what a county owes in the order it falls due."""
    bearer_role: str
    bearer_agency_id: UUID | None = Field(foreign_key="agencies.id")
    overseer_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    stands_in_for: str | None = None
    """The role whose post is empty, as long as another owes it."""
    priority: bool = Field(sa_column_kwargs={"server_default": "false"})
    """A child who must be visited without exception (VIS-02)."""
    categories: list[str] = Field(sa_column=code_list())
    priority_flags: list[str] = Field(sa_column=code_list())
    told_to: list[UUID] | None = Field(sa_column=Column(ARRAY(Uuid), nullable=True))
    """The only agencies that may know of it; null for all that serve the region (AZ-8)."""
    period: str
    counts_from: date
    counts_until: date | None
    opened_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    overdue_at: datetime | None = Field(sa_type=Instant)
    late_before_at: datetime | None = Field(default=None, sa_type=Instant)
    """When it was first found overdue, before it was opened again or given another deadline."""
    escalated: int = Field(sa_type=Integer, sa_column_kwargs={"server_default": "0"})
    """To how many steps of the rule it was told that it is overdue."""
    escalates_at: datetime | None = Field(
        sa_type=Instant, sa_column_kwargs={"server_default": text("now()")}
    )
    """When the next step is told; null when none is left. Not said yet, it is looked at now."""
    lapsed_at: datetime | None = Field(default=None, sa_type=Instant)
    discharged_at: datetime | None = Field(sa_type=Instant)
    discharged_by: UUID | None
    discharged_on: date | None
    """The day of the deed."""
    waiver_at: datetime | None = Field(default=None, sa_type=Instant)
    waiver_by: str | None = None
    waiver_staff_id: UUID | None = None
    waiver_reason_sealed: bytes | None = None
    waived_at: datetime | None = Field(default=None, sa_type=Instant)
    waived_by: str | None = None
    state: str
    version: int


class DutyCount(SQLModel, table=True):
    """How many duties of a county, told to nobody apart, come to one outcome (`counting`).

    `opened`: the quarter in which those without a period were opened. `chosen_by`, `code`: of which
    children, as in `schemas.Coverage`. `outcome`: the state, or `discharged_late`.
    """

    __tablename__ = "duty_counts"
    __table_args__: Any = (
        # How many are late, of each rule, without all that is counted besides.
        Index(
            "ix_duty_counts_late",
            "rule",
            postgresql_include=["n"],
            postgresql_where=text("outcome = 'overdue' AND chosen_by = 'all'"),
        ),
    )
    county_code: int = Field(sa_type=BigInteger, primary_key=True)
    rule: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    opened: str = Field(primary_key=True)
    chosen_by: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    outcome: str = Field(primary_key=True)
    n: int
    counted_at: datetime = Field(sa_type=Instant)


class DutyEvidence(SQLModel, table=True):
    """A deed that may discharge a duty, whether the duty is open already or not.

    `match_id`: the child, alert or report it is about; `evidence_id`: the deed itself, such as the
    visit. `counts`: whether it is of the kind the rule asks for. `stand_in`: the role that did what
    counts as long as that role stands in for the post. `event_id` (time-ordered) lets a correction
    win over what it corrects, in whatever order the two are worked off.
    """

    __tablename__ = "duty_evidence"
    __table_args__: Any = (Index("ix_duty_evidence_match_id", "match_id", "rule"),)
    rule: str = Field(primary_key=True)
    evidence_id: UUID = Field(primary_key=True)
    home_county: int = Field(sa_type=BigInteger, primary_key=True)
    match_id: UUID
    happened_on: date
    counts: bool
    stand_in: str | None = None
    event_id: UUID


_TOLD = f"(told_to IS NULL OR {rls.AGENCY} = ANY (told_to))"

_NOT_HIDDEN = (
    "(told_to IS NULL OR NOT"
    f" CASE WHEN bearer_role = 'police' AND {rls.own('bearer_agency_id')}"
    f" THEN {hiding.hidden_row('duties', 'subject_id', below=hiding.POLICE)}"
    f" ELSE {hiding.hidden_row('duties', 'subject_id')} END)"
)

distribution.by("duties", distribution.COUNTY)
distribution.by("duty_evidence", distribution.COUNTY)
distribution.in_one_place("sums of counties, added up for provinces", "duty_counts")
rls.protect(
    "duties",
    using=rls.case(
        (rls.SYSTEM, "true"),
        (rls.own("bearer_agency_id"), _NOT_HIDDEN),
        (rls.own("overseer_id"), f"{_TOLD} AND {_NOT_HIDDEN}"),
        (rls.IN_RANGE, f"{rls.SCHOOL} IS NULL AND {_TOLD} AND {_NOT_HIDDEN}"),
    ),
    check=rls.SYSTEM,
    privileges="SELECT, INSERT, UPDATE",
)
rls.allow("duty_counts", "SELECT, INSERT, UPDATE, DELETE")
rls.protect("duty_evidence", using=rls.SYSTEM, privileges="SELECT, INSERT, UPDATE")

# What every child is owed each quarter was opened by no event: what came before it is not its own.
_CALLED_FOR = (
    "EXISTS (SELECT FROM duties d WHERE d.state IN ('open', 'overdue')"
    " AND (d.period = '' OR k.occurred_at >= d.opened_at) AND {})"
)
_OWED = (
    "d.subject_id = k.subject_id",
    "d.child_id IN (k.subject_id, (k.data ->> 'child_id')::uuid)",
)
retention.unless(
    "events",
    "something is owed that it called for, or for a child it names",
    " OR ".join(map(_CALLED_FOR.format, _OWED)),
)
retention.unless(
    "events",
    "the record of a duty tells to whom it was told",
    "EXISTS (SELECT FROM duties d WHERE d.id = k.subject_id)",
)
sealed.below_child("duties", {"waiver_reason_sealed": REASON})
