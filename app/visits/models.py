"""Home visits, and what they said before they were corrected."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.children.below import Correctable, VersionBelow, below_child, versions_of
from app.core.data import retention, sampling, sealed
from app.core.data.columns import Instant, code_list, one_of


class VisitorType(StrEnum):
    """Who visited (VIS-01, VIS-04)."""

    child_director = "child_director"
    """儿童主任, under whatever local title."""
    township_supervisor = "township_supervisor"
    party_cadre = "party_cadre"
    """党员干部上门家访."""
    stationed_cadre = "stationed_cadre"
    """驻村干部探访."""
    social_worker = "social_worker"
    """专业社会工作者随访."""
    teacher = "teacher"
    police = "police"
    civil_affairs = "civil_affairs"
    other = "other"
    """None of these, or it could not be read."""


class Place(StrEnum):
    """Where the child was seen."""

    home = "home"
    school = "school"
    childrens_home = "childrens_home"
    """儿童之家."""
    village_office = "village_office"
    other = "other"


class Channel(StrEnum):
    """How. Only `in_person` is a visit on site (实地走访)."""

    in_person = "in_person"
    phone = "phone"
    video = "video"
    other = "other"


class Visit(Correctable, table=True):
    """One visit. `id` is made by the client, so that a phone may record it offline.

    `called`: the id by which its sender called the child, which may be another name of the file;
    null where it was received before that was kept. `words_sealed` holds, encrypted, the `note`,
    what was found, in `codes`, and `findings`, a note on each; of that `abnormal` alone is plain.
    The column `findings` held the codes until they were sealed (ADR 64). `visited_in` is where the
    child lived when the visit was received. `visitor` is the staff member, null for a machine.
    `withdrawal_…`: who proposed, and who confirmed, that an abnormal finding was none; sealed are
    the findings that remain, and why. `possibly_same_as`: an earlier visit by the same visitor on
    the same day, until somebody says whether the two are one; `same_as`: they are.
    """

    __tablename__ = "visits"
    __table_args__: Any = below_child(
        "visits",
        one_of("visitor_type", VisitorType),
        one_of("place", Place),
        one_of("channel", Channel),
        Index("ix_visits_child_id_visited_on", "child_id", "visited_on", "id"),
        Index("ix_visits_region_code_visited_on", "region_code", "visited_on", "id"),
        Index("ix_visits_visited_on_id", "visited_on", "id"),
        # What few are, for who sees few of them and for who sees many.
        Index(
            "ix_visits_abnormal",
            "visited_on",
            "id",
            postgresql_where=text("abnormal"),
        ),
        Index(
            "ix_visits_abnormal_in_region",
            "region_code",
            "visited_on",
            "id",
            postgresql_where=text("abnormal"),
        ),
        Index(
            "ix_visits_withdrawal_proposed",
            "visited_on",
            "id",
            postgresql_where=text("withdrawal_by IS NOT NULL AND withdrawal_confirmed_by IS NULL"),
        ),
        # None, once what the release before wrote is sealed.
        Index("ix_visits_findings", "home_county", "id", postgresql_where=text("findings <> '[]'")),
        *sampling.indexes("visits"),
        privileges="SELECT, INSERT, UPDATE, DELETE",
    )

    called: UUID | None = None
    visited_in: int = Field(sa_type=BigInteger)
    visited_on: date
    started_at: datetime | None = Field(sa_type=Instant)
    visitor: UUID | None
    visitor_type: str
    place: str
    channel: str
    guardian_present: bool | None
    abnormal: bool
    findings: list[dict[str, Any]] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    policies_explained: list[str] = Field(sa_column=code_list())
    words_sealed: bytes | None
    recorded_at: datetime | None = Field(sa_type=Instant)
    """When the device stored it, by the device's clock."""
    withdrawal_by: str | None = None
    withdrawal_at: datetime | None = Field(default=None, sa_type=Instant)
    withdrawal_sealed: bytes | None = None
    withdrawal_confirmed_by: str | None = None
    possibly_same_as: UUID | None = None
    same_as: UUID | None = None


class VisitVersion(VersionBelow, table=True):
    """What a visit said before a correction."""

    __tablename__ = "visit_versions"
    __table_args__: Any = versions_of(
        "visits", "visit_id", "visit_versions", privileges="SELECT, INSERT, DELETE"
    )
    visit_id: UUID


retention.unless(
    "events",
    "the last word of what became of a finding",
    "k.wire_name IN ('visits.finding_looked_at', 'visits.finding_left_open')",
)
sealed.below_child("visits", sealed.named("visits", "words_sealed", "withdrawal_sealed"))
