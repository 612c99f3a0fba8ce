"""A mandatory report, who made it, and every step taken on it.

The report row says where it stands; `police_report_steps` is the journal it is derived from:
append-only, nothing in it is ever changed. The reporter lives in a table of their own (AZ-9).
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from app.attendance.models import OF_CONTRADICTED
from app.core.data import distribution, retention, rls
from app.core.data.columns import Instant, code_list, one_of
from app.core.ids import new_id
from app.webhooks.models import keep_while

NARRATIVE: Final = "police_reports.narrative"
SUBJECT: Final = "police_reports.subject"
PERSON: Final = "police_reporters.person"
DETAILS: Final = "police_report_steps.details"
AS_SENT: Final = "police_reports.as_sent"
SPOOLED: Final = "spooled_reports.sealed"
CameBy = Literal["call", "patrol", "found", "in_person"]
WAITING: Final = "acknowledged_at IS NULL AND relieved_at IS NULL"
"""Of a report for which the alarms go on."""
UNROUTED: Final = f"routing <> 'routed' AND {WAITING}"
"""Of a report that no police endpoint has taken so far."""
IN_HAND: Final = "state IN ('filed', 'delivered', 'acknowledged', 'dispatched', 'handling')"
ANYWHERE: Final = "region_code >= 0"
"""Of any report: who sees all reads them in its order; no statistics tell how few a place has."""


class State(StrEnum):
    """How far a report has come, in this order."""

    FILED = "filed"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    DISPATCHED = "dispatched"
    HANDLING = "handling"
    TOWNSHIP_NOTIFIED = "township_notified"
    ASSESSED = "assessed"
    SERVICES_ARRANGED = "services_arranged"
    CLOSED = "closed"


class Step(StrEnum):
    """What somebody does with a report."""

    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    FORWARDED = "forwarded"
    DISPATCHED = "dispatched"
    ASSISTED = "assisted"
    DISPOSED = "disposed"
    OMISSION_CONFIRMED = "omission_confirmed"
    """A second person of the police agrees that measures were left out for the reasons given."""
    OMISSION_REJECTED = "omission_rejected"
    INVESTIGATED = "investigated"
    """The police say how far the case itself is."""
    TOWNSHIP_NOTIFIED = "township_notified"
    TOWNSHIP_RECEIVED = "township_received"
    ASSESSED = "assessed"
    SERVICES_ARRANGED = "services_arranged"
    CLOSURE_PROPOSED = "closure_proposed"
    """Somebody would close it unassessed or unanswered; a second person has to agree."""
    CLOSED = "closed"
    REOPENED = "reopened"
    """A new fact came after it was closed; the step beside this one says which."""
    IDENTIFIED = "identified"
    DESCRIBED = "described"
    """Somebody said who the child is; no file, or more than one, answers to it."""
    SUSPECT_NAMED = "suspect_named"
    SUSPECT_WITHDRAWN = "suspect_withdrawn"
    """It speaks against somebody else than was said."""
    JOINED = "joined"
    IDENTIFICATION_WITHDRAWN = "identification_withdrawn"
    """It is not about the child on whose file it hung."""
    SEPARATED = "separated"
    """It is not about the event it was joined with."""


class Party(StrEnum):
    """What a caller is to a report."""

    POLICE = "police"
    """The agency in charge."""
    PROTECTION = "protection"
    """Township and civil affairs of the place."""
    REPORTER = "reporter"
    """The agency that filed it."""
    ONLOOKER = "onlooker"
    """The police agency that passed it on."""


def _few(name: str, which: str, *columns: str) -> Index:
    """Make an index of some reports only: those of which `which` holds."""
    return Index(f"ix_police_reports_{name}", *columns, postgresql_where=text(which))


class PoliceReport(SQLModel, table=True):
    """One report to the police and where it stands.

    `state`: the furthest step taken, in the order of `State`. `routing`: `routed` when the
    report waits at an endpoint of the police; `no_agency` when no police agency serves the place,
    `no_endpoint` when the one that does has no endpoint: both are tried again by a job.
    `suspect_agency_id`: the agency a report speaks against. `hidden_from`: that and every agency
    that any report of its chain of corrections speaks against: they learn nothing of it (AZ-8).
    `hidden_below`: how many codes the remit of an office must hold to have a part in it, while it
    is open whom the words of the reporter mean; 0 once that is known. `police_below`: likewise of
    police, where the words say police. `meant`: the agencies that bear the name the words say.
    `suspect_step_id`: the step by which somebody else than the reporter said whom they mean.
    `forwarded_by_id`: the police agency that passed it on last; `former_police`: all others that
    had it. They see how it stands, and may still tell what they did.
    `also_told`: the police of every level above, while no police endpoint takes it; whoever
    accepts, goes out or takes measures first is in charge. `doubts`: what was stated and could not
    be followed; `as_sent_sealed` keeps it. `relieved_at`: when one in its place reached the police.
    `disposed_as`: the kinds of disposition so far; `incomplete_as`: those in which something the
    law asks for is neither done nor left out for a reason that stands; `handled_at`: when the
    others answered all that was reported. `omission_step_id`: the last disposition with a reason
    that a second person has to judge, `omitted_by`: who gave such. `assessed_at`: cleared by a new
    fact after the case was closed, as are `closed_at` and `outcome`. `closure_step_id`: the
    proposal to close that waits for another person, by `closure_staff_id` of `closure_agency_id`.
    `home_county`: the county it is kept under, which never changes; `child_county`: that of the
    child's file, another one if an unknown child turned out to be from there (so no key of the
    county points at it). `home_region`: where the child lives, a party beside the place;
    `former_homes`: where it lived since the report was filed, and all that lies above each.
    `stated_child_id`: the id its reporter called the child by, if it was no file's own then.
    `identified_at`: when somebody else than its reporter said which child it is.
    `incident_id`: shared by the reports of one event, whoever sees them; it is shown to nobody.
    `stated_incident_id`: what its reporter called the event: an id of their own, or of a report.
    `bound_as`: as which of `report.duty_bearers` its reporter had to file it; none: had not to.
    `content_index`: keyed hash of what was filed, to tell a repeated filing from another one.
    """

    __tablename__ = "police_reports"
    __table_args__: Any = (
        one_of("state", State),
        CheckConstraint("urgency IN ('immediate', 'urgent', 'standard')", name="urgency"),
        CheckConstraint("channel IN ('app', 'system', 'phone', 'in_person')", name="channel"),
        one_of("came_by", get_args(CameBy)),
        CheckConstraint("routing IN ('routed', 'no_agency', 'no_endpoint')", name="routing"),
        CheckConstraint("(routing = 'no_agency') = (police_agency_id IS NULL)", name="police"),
        UniqueConstraint("home_county", "id"),
        _few("suspect", "suspect_step_id IS NOT NULL", "filed_at", "id"),
        Index("ix_police_reports_reporter", "reporter_agency_id", "filed_at", "id"),
        Index("ix_police_reports_police", "police_agency_id", "filed_at", "id"),
        _few("in_hand", IN_HAND, "police_agency_id"),
        _few("forwarded", "forwarded_by_id IS NOT NULL", "forwarded_by_id"),
        _few("told", "cardinality(also_told) > 0", "filed_at", "id"),
        _few("former_police", "cardinality(former_police) > 0", "filed_at", "id"),
        _few("anywhere", ANYWHERE, "filed_at", "id"),
        Index("ix_police_reports_state", "state", "filed_at", "id"),
        Index("ix_police_reports_region", "region_code", "filed_at", "id"),
        Index("ix_police_reports_home", "home_region", "filed_at", "id"),
        _few("moved", "cardinality(former_homes) > 0", "filed_at", "id"),
        Index("ix_police_reports_child", "child_county", "child_id"),
        _few("stated", "stated_child_id IS NOT NULL AND child_id IS NULL", "stated_child_id"),
        _few("incident", "incident_id IS NOT NULL", "incident_id"),
        _few("stated_incident", "stated_incident_id IS NOT NULL", "stated_incident_id"),
        _few("situations", "situations <> '{}'", "id"),
        _few("waiting", WAITING, "filed_at"),
        _few(
            "unaccepted", f"{WAITING} AND acknowledgement_alarmed_at IS NULL", "acknowledge_due_at"
        ),
        _few(
            "undelivered",
            f"{WAITING} AND delivery_alarmed_at IS NULL AND delivered_at IS NULL",
            "deliver_alarm_at",
        ),
        _few("undelivered_since", f"{WAITING} AND delivered_at IS NULL", "filed_at"),
        _few("unrouted", UNROUTED, "region_code", "filed_at"),
        _few("unrouted_of", UNROUTED, "police_agency_id", "region_code"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    child_county: int | None = Field(default=None, sa_type=BigInteger)
    child_id: UUID | None = None
    stated_child_id: UUID | None = None
    region_code: int = Field(sa_type=BigInteger)
    """Where it happened: decides which police agency is in charge."""
    home_region: int | None = Field(default=None, sa_type=BigInteger)
    former_homes: list[int] = Field(
        sa_column=Column(ARRAY(BigInteger), nullable=False, server_default="{}"),
        default_factory=list,
    )
    identified_at: datetime | None = Field(default=None, sa_type=Instant)
    incident_id: UUID | None = None
    stated_incident_id: UUID | None = None
    situations: list[str] = Field(sa_column=code_list(), default_factory=list)
    urgency: str
    channel: str
    found_at: datetime = Field(sa_type=Instant)
    filed_at: datetime = Field(sa_type=Instant)
    reporter_agency_id: UUID = Field(foreign_key="agencies.id")
    bound_as: str | None = None
    came_by: str | None = None
    suspect_agency_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    hidden_from: list[UUID] = Field(
        sa_column=Column(ARRAY(Uuid), nullable=False, server_default="{}"), default_factory=list
    )
    hidden_below: int = Field(
        sa_column=Column(BigInteger, nullable=False, server_default="0"), default=0
    )
    police_below: int = Field(
        sa_column=Column(BigInteger, nullable=False, server_default="0"), default=0
    )
    meant: list[UUID] = Field(
        sa_column=Column(ARRAY(Uuid), nullable=False, server_default="{}"), default_factory=list
    )
    suspect_step_id: UUID | None = None
    police_agency_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    also_told: list[UUID] = Field(
        sa_column=Column(ARRAY(Uuid), nullable=False, server_default="{}"), default_factory=list
    )
    forwarded_by_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    former_police: list[UUID] = Field(
        sa_column=Column(ARRAY(Uuid), nullable=False, server_default="{}"), default_factory=list
    )
    visit_id: UUID | None = None
    situations_sealed: bytes | None = None
    narrative_sealed: bytes
    subject_sealed: bytes
    as_sent_sealed: bytes | None = None
    doubts: list[str] = Field(sa_column=code_list(), default_factory=list)
    content_index: bytes
    state: str = "filed"
    routing: str
    acknowledge_due_at: datetime = Field(sa_type=Instant)
    deliver_alarm_at: datetime = Field(sa_type=Instant)
    delivered_at: datetime | None = Field(default=None, sa_type=Instant)
    acknowledged_at: datetime | None = Field(default=None, sa_type=Instant)
    police_reference: str | None = None
    acknowledgement_alarmed_at: datetime | None = Field(default=None, sa_type=Instant)
    delivery_alarmed_at: datetime | None = Field(default=None, sa_type=Instant)
    disposed_as: list[str] = Field(sa_column=code_list(), default_factory=list)
    incomplete_as: list[str] = Field(sa_column=code_list(), default_factory=list)
    disposed_sealed: bytes | None = None
    incomplete_sealed: bytes | None = None
    omission_step_id: UUID | None = None
    omitted_by: list[UUID] = Field(
        sa_column=Column(ARRAY(Uuid), nullable=False, server_default="{}"), default_factory=list
    )
    handled_at: datetime | None = Field(default=None, sa_type=Instant)
    assessed_at: datetime | None = Field(default=None, sa_type=Instant)
    closure_step_id: UUID | None = None
    closure_agency_id: UUID | None = None
    closure_staff_id: UUID | None = None
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    outcome: str | None = None
    township_agency_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    supersedes_id: UUID | None = Field(default=None, foreign_key="police_reports.id")
    superseded_by_id: UUID | None = Field(default=None, foreign_key="police_reports.id")
    relieved_at: datetime | None = Field(default=None, sa_type=Instant)
    version: int = 1
    updated_at: datetime = Field(sa_type=Instant)


def _of_report() -> ForeignKeyConstraint:
    report = ["police_reports.home_county", "police_reports.id"]
    return ForeignKeyConstraint(["home_county", "report_id"], report, name="report")


class PoliceReporter(SQLModel, table=True):
    """Who made a report, if they said so: name, telephone, position, encrypted (AZ-9, REP-06)."""

    __tablename__ = "police_reporters"
    __table_args__: Any = (_of_report(),)
    report_id: UUID = Field(primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    person_sealed: bytes


class PoliceReportStep(SQLModel, table=True):
    """One step on a report, as somebody stated it. Append-only.

    `codes`: ids, and what statements ask for; `codes_sealed`: of the case; `details_sealed`: words.
    `out_of_order`: it came before the step it follows from; kept all the same (R24).
    """

    __tablename__ = "police_report_steps"
    __table_args__: Any = (
        CheckConstraint(
            "step IN ('delivered', 'acknowledged', 'dispatched', 'disposed', 'township_notified',"
            " 'township_received', 'assessed', 'services_arranged', 'closed', 'forwarded',"
            " 'closure_proposed', 'reopened', 'identified', 'suspect_named', 'joined',"
            " 'described', 'identification_withdrawn', 'separated', 'suspect_withdrawn',"
            " 'assisted', 'omission_confirmed', 'omission_rejected', 'investigated')",
            name="step",
        ),
        _of_report(),
        Index("ix_police_report_steps_report", "report_id", "recorded_at", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    report_id: UUID
    step: str
    at: datetime = Field(sa_type=Instant)
    recorded_at: datetime = Field(sa_type=Instant)
    agency_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    reference: str | None = None
    codes: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    codes_sealed: bytes | None = None
    details_sealed: bytes | None = None
    content_index: bytes
    out_of_order: bool = False


class SpooledReport(SQLModel, table=True):
    """A report that came while nothing could be recorded, as it was sent and by whom, sealed to a
    key that who wrote it need not have. `sender_index`: of its agency (0.1.0 kept none).
    """

    __tablename__ = "spooled_reports"
    id: UUID = Field(primary_key=True)
    content_index: bytes
    sender_index: bytes | None = None  # none of what an earlier release kept
    urgent: bool
    received_at: datetime = Field(sa_type=Instant)
    sealed: bytes


_REPORTER = (rls.own("reporter_agency_id"), "true")
_OFFICE = f"{rls.SCHOOL} IS NULL AND {rls.HI} - {rls.LO} >= hidden_below"
_POLICE = f"{rls.HI} - {rls.LO} >= police_below"
_OTHERS = (
    (rls.served("ARRAY[suspect_agency_id]"), "false"),
    (rls.served("hidden_from"), "false"),
    _REPORTER,
    (rls.own("police_agency_id"), _POLICE),
    (rls.own("forwarded_by_id"), _POLICE),
    (f"{rls.AGENCY} = ANY (also_told)", _POLICE),
    (f"{rls.AGENCY} = ANY (former_police)", _POLICE),
    (rls.IN_RANGE, _OFFICE),
    (f"home_region >= {rls.LO} AND home_region < {rls.HI}", _OFFICE),
    # A remit is all of one division: it is named by its first code, which `former_homes` has.
    (f"{rls.LO} = ANY (former_homes)", _OFFICE),
)
distribution.in_one_place(
    "one case is told in several counties: its corrections and joined reports are walked by id",
    *("police_reports", "police_reporters", "police_report_steps", "spooled_reports"),
)
rls.protect(
    "police_reports",
    using=rls.case((rls.SYSTEM, "true"), *_OTHERS),
    # Somebody may report their own agency, and does not see the report afterwards.
    check=rls.case((rls.SYSTEM, "true"), _REPORTER, *_OTHERS),
    privileges="SELECT, INSERT, UPDATE",
)
# Not even jobs: only the agency in charge, and never the one reported; and the owner, to seal anew.
_IN_CHARGE = f"r.id = police_reporters.report_id AND r.police_agency_id = {rls.AGENCY}"
_REPORTED = (f"EXISTS (SELECT 1 FROM police_reports r WHERE {_IN_CHARGE})", "true")
rls.protect(
    "police_reporters",
    using=rls.case((rls.of_owner("police_reporters"), "true"), _REPORTED),
    check="true",
    privileges="SELECT, INSERT",
)
rls.protect(
    "police_report_steps",
    using="EXISTS (SELECT 1 FROM police_reports r WHERE r.id = police_report_steps.report_id)",
    privileges="SELECT, INSERT",
)
rls.protect("spooled_reports", using=rls.SYSTEM, check="true", privileges="SELECT, INSERT, DELETE")
_OPEN = (
    "EXISTS (SELECT FROM police_reports r WHERE r.state <> 'closed'"
    " AND r.superseded_by_id IS NULL AND {})"
)
retention.unless(
    "events",
    "it is about a report, whose proof is read out of its events",
    "EXISTS (SELECT FROM police_reports r WHERE r.id = k.subject_id)",
)
for _table, _county, _ids in (
    ("events", "= k.home_county", "IN (k.subject_id, (k.data ->> 'child_id')::uuid)"),
    ("attendance_contradictions", *OF_CONTRADICTED),
):
    _known = _OPEN.format(f"r.child_county {_county} AND r.child_id {_ids}")
    _stated = _OPEN.format(f"r.child_id IS NULL AND r.stated_child_id {_ids}")
    retention.unless(_table, "a report of a child it names is open", f"{_known} OR {_stated}")
keep_while("the report it tells of is open", _OPEN.format("r.id = {}"))
for _table in ("police_report_steps", "police_reporters"):
    retention.for_ever(_table, "a report is never deleted (REP-01, REP-07)")
