"""The file of a child: current state in `children`, dated facts and history beside it.

What a stolen dump must not give away (D9) lies in the `…_sealed` columns: JSON of the sealed fields
of one section, encrypted for this row. Everything a statistic counts is plain.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.children.below import OF_FILES, VISIBLE, BelowChild, below_child
from app.core.data import distribution, retention, rls, sampling
from app.core.data.columns import Instant, code_list
from app.core.ids import new_id


def _bytewise() -> Column[str]:
    # Prefix searches are ranges, which only byte order serves; LIKE is not leakproof under RLS.
    return Column(Text(collation="C"), nullable=False, index=True, server_default="")


def _other_reading() -> Column[str | None]:
    return Column(Text(collation="C"), nullable=True)


def _other_readings(*columns: str) -> list[Index]:
    # Few names have a second reading, so that is all these hold.
    return [
        Index(f"ix_children_{each}", each, postgresql_where=text(f"{each} IS NOT NULL"))
        for each in columns
    ]


CATEGORIES: Final = (
    *("left_behind", "orphan", "unattended", "difficulty.family", "difficulty.self"),
    *("difficulty.guardianship", "difficulty.temporary"),
)
PRIORITY_FLAGS: Final = (
    *("orphan", "no_guardian", "one_away_other_incapable", "poor_guardianship", "out_of_school"),
    *("no_hukou", "disabled", "ill"),
)
LISTED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "categories": CATEGORIES,
    "priority_flags": PRIORITY_FLAGS,
    "undecided": tuple(dict.fromkeys((*CATEGORIES, *PRIORITY_FLAGS, "left_behind.counted"))),
}
"""Columns of codes that lists are filtered by, and those that have an index each."""


def _by_code() -> Iterator[Index]:
    # What is rare is found without reading all whom the caller may see. An index of the array would
    # not be used under row-level security: its operators are not leakproof.
    for column, codes in LISTED_BY.items():
        for code in codes:
            yield Index(
                f"ix_children_{column}_{code.replace('.', '_')}",
                "region_code",
                "id",
                postgresql_where=text(f"'{code}' = ANY ({column})"),
            )


def _section() -> Column[dict[str, Any]]:
    return Column(JSONB, nullable=False, server_default=text("'{}'"))


class Child(SQLModel, table=True):
    """One child, as known now.

    `home_county` is the county that opened the file and never changes (D14); `region_code` is where
    the child lives now. `school_id` is the school agency the child is enrolled at now. The jsonb
    columns hold the sections of the file as on the wire, without their sealed fields.

    The name is sealed with the rest of the identity; `name_index` is a keyed hash of it and the
    birth date. `name`, `name_canonical` and so on (`naming.BLANK`) held it until then, and hold
    nothing once `children.seal_names` has been there (ADR 64).
    """

    __tablename__ = "children"
    __table_args__: Any = (
        CheckConstraint("sex IN ('male', 'female', 'unknown')", name="sex"),
        Index("ix_children_region_code_id", "region_code", "id"),
        Index(
            "ix_children_region_code_counts",
            "region_code",
            postgresql_include=["school_id", "categories", "counted"],
        ),
        Index("ix_children_school_id_region_code_id", "school_id", "region_code", "id"),
        Index("ix_children_home_county_next_change_on", "home_county", "next_change_on"),
        Index("ix_children_birth_date_name_canonical", "birth_date", "name_canonical"),
        Index("ix_children_name_index", "name_index"),
        *_by_code(),
        *sampling.indexes("children"),
        *_other_readings("name_pinyin_2", "name_initials_2", "name_pinyin_3", "name_initials_3"),
        PrimaryKeyConstraint("home_county", "id"),
        # That an id is one child's in the whole nation is seen to by `duplicates.disown`.
        Index("ix_children_id", "id"),
    )

    id: UUID = Field(default_factory=new_id)
    home_county: int = Field(sa_type=BigInteger)
    region_code: int = Field(sa_type=BigInteger)
    school_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    name: str = Field(default="", sa_column=_bytewise())
    name_canonical: str = Field(default="", sa_column=_bytewise())
    name_reversed: str = Field(default="", sa_column=_bytewise())
    name_pinyin: str = Field(default="", sa_column=_bytewise())
    name_initials: str = Field(default="", sa_column=_bytewise())
    name_pinyin_2: str | None = Field(default=None, sa_column=_other_reading())
    name_initials_2: str | None = Field(default=None, sa_column=_other_reading())
    name_pinyin_3: str | None = Field(default=None, sa_column=_other_reading())
    name_initials_3: str | None = Field(default=None, sa_column=_other_reading())
    sex: str
    birth_date: date
    ethnic_group: str | None = None
    no_resident_id_reason: str | None = None
    name_index: bytes | None = None
    identity_sealed: bytes | None = None
    hukou: dict[str, Any] = Field(sa_column=_section(), default_factory=dict)
    hukou_sealed: bytes | None = None
    residence: dict[str, Any] = Field(sa_column=_section(), default_factory=dict)
    residence_sealed: bytes | None = None
    family_sealed: bytes | None = None
    adoption_sealed: bytes | None = None
    guardianship: dict[str, Any] = Field(sa_column=_section(), default_factory=dict)
    guardianship_sealed: bytes | None = None
    education: dict[str, Any] = Field(sa_column=_section(), default_factory=dict)
    education_sealed: bytes | None = None
    health: dict[str, Any] = Field(sa_column=_section(), default_factory=dict)
    health_sealed: bytes | None = None
    welfare: dict[str, Any] = Field(sa_column=_section(), default_factory=dict)
    welfare_sealed: bytes | None = None
    external_sealed: bytes | None = None
    as_sent_sealed: bytes | None = None
    """What could not be read or followed when it was opened, by field."""
    categories: list[str] = Field(sa_column=code_list(), default_factory=list)
    """Derived: left-behind, orphan, difficulty classes; see rules.py."""
    priority_flags: list[str] = Field(sa_column=code_list(), default_factory=list)
    """Derived: DEF-18 groups that must be visited every quarter without exception (VIS-02)."""
    told: list[dict[str, Any]] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")), default_factory=list
    )
    """Facts that other chains tell; see told.py. Codes, days and ids only."""
    undecided: list[str] = Field(sa_column=code_list(), default_factory=list)
    """Derived: categories and flags that the file does not decide; somebody must ask (REG-03)."""
    counted: list[str] = Field(sa_column=code_list(), default_factory=list)
    """Derived: the categories under which a statistic counts the child."""
    lacking: list[str] = Field(sa_column=code_list(), default_factory=list)
    """Derived: what the file does not say that each file is to say (REG-12)."""
    next_change_on: date | None = Field(
        sa_column=Column(Date, nullable=True, server_default=text("'-infinity'")), default=None
    )
    """Derived: when that may be otherwise by the calendar alone; null: never. A row that a release
    wrote which did not know of it is due at once.
    """
    derived_on: date | None = None
    """The day `categories` and `priority_flags` are true of; null before the first derivation."""
    version: int = 1
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class ResidentId(BelowChild, table=True):
    """A resident identity number that a file says its child has, as a blind index.

    Not unique: a number that one file claims is no reason to refuse it to another, or whoever
    guessed it would keep the child from a file, and a refusal would tell a stranger that somebody
    has the number (AZ-4). Where two have it the offices concerned are asked.
    """

    __tablename__ = "resident_ids"
    __table_args__: Any = below_child(
        "resident_ids",
        Index("ix_resident_ids_child_id", "child_id"),
        key=("index", "child_id"),
        by="index",
        privileges="SELECT, INSERT, DELETE",
    )

    index: bytes


class ExternalId(BelowChild, table=True):
    """A number another system knows the child by, as a blind index of system and number.

    Not unique: a refusal would tell a caller that a stranger's child has the number (AZ-4). What
    two visible children bear resolves to neither.
    """

    __tablename__ = "child_external_ids"
    __table_args__: Any = below_child(
        "child_external_ids",
        Index("ix_child_external_ids_child_id", "child_id"),
        key=("index", "child_id"),
        privileges="SELECT, INSERT, DELETE",
    )

    index: bytes
    section: str


class ChildStay(BelowChild, table=True):
    """Where a child lived and was enrolled until `until`, by the register: kept when it moves on.
    Before the first move that was so since ever.

    Whoever looked after the child then may still say what happened then (`rows.put`).
    """

    __tablename__ = "child_stays"
    __table_args__: Any = below_child(
        "child_stays",
        Index("ix_child_stays_child_id_until", "child_id", "until"),
        Index("ix_child_stays_until", "until"),
        privileges="SELECT, INSERT, UPDATE",
    )

    id: UUID = Field(default_factory=new_id)
    lived_in: int = Field(sa_type=BigInteger)
    enrolled_at: UUID | None = None
    since: datetime = Field(sa_type=Instant)
    until: datetime = Field(sa_type=Instant)


class ChildEnrolment(BelowChild, table=True):
    """At which school, in which class, a child was from `since` until the day before `until`, as
    known now: the dated history of the section of education, which is the present. The school
    still sees its own row of a child that has left it.

    `class_name` is as the school writes it; `class_key` is what is compared.
    """

    __tablename__ = "child_enrolments"
    __table_args__: Any = below_child(
        "child_enrolments",
        CheckConstraint("until IS NULL OR until > since", name="until"),
        Index("ix_child_enrolments_child_id_since", "child_id", "since"),
        Index("ix_child_enrolments_school_id_class_key", "school_id", "class_key", "since"),
        Index(
            "uq_child_enrolments_open",
            "child_id",
            "home_county",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
        privileges="SELECT, INSERT, UPDATE, DELETE",
        also=(rls.own("school_id"),),
        check=VISIBLE,
    )

    id: UUID = Field(default_factory=new_id)
    school_id: UUID = Field(foreign_key="agencies.id")
    class_name: str | None = None
    class_key: str | None = None
    boarding: bool | None = None
    since: date
    until: date | None = None
    stated_by: str
    recorded_at: datetime = Field(sa_type=Instant)


class ChildAlias(BelowChild, table=True):
    """Another id of a file, for the agency whose app made it: its file turned out to be this one.

    `agreed`: somebody in charge said so, so what comes under it is about this child wherever the
    child lives. Without that it names the file only to whoever may know of it.
    """

    __tablename__ = "child_aliases"
    __table_args__: Any = below_child(
        "child_aliases",
        Index("ix_child_aliases_child_id", "child_id"),
        key=("alias", "agency_id"),
        privileges="SELECT, INSERT, DELETE",
        also=(rls.own("agency_id"),),
    )

    alias: UUID
    agency_id: UUID
    agreed: bool
    made_at: datetime = Field(sa_type=Instant)


class ChildFact(BelowChild, table=True):
    """What was true of a child from `since` until the day before `until`, and who said so.

    `kind` is a section: hukou, residence, family, guardianship or education; `value_sealed` is the
    whole section then.
    """

    __tablename__ = "child_facts"
    __table_args__: Any = below_child(
        "child_facts",
        Index("ix_child_facts_child_id_kind_since", "child_id", "kind", "since"),
        privileges="SELECT, INSERT, UPDATE",
    )

    id: UUID = Field(default_factory=new_id)
    kind: str
    value_sealed: bytes
    since: date
    until: date | None = None
    stated_by: str
    recorded_at: datetime = Field(sa_type=Instant)


class ChildChange(BelowChild, table=True):
    """One change of a file: who, when, which sections; what it was and became is sealed."""

    __tablename__ = "child_changes"
    __table_args__: Any = below_child(
        "child_changes",
        Index("uq_child_changes_version", "child_id", "version", "home_county", unique=True),
        privileges="SELECT, INSERT",
    )

    id: UUID = Field(default_factory=new_id)
    version: int
    at: datetime = Field(sa_type=Instant)
    actor: str
    agency_id: UUID | None
    role: str
    operation: str
    sections: list[str] = Field(sa_column=code_list(), default_factory=list)
    changes_sealed: bytes
    content_mac: bytes | None = None
    """Of what a file was opened with, if some of that is not in the file (`as_sent_sealed`)."""


def _referrals(name: str, which: str, *columns: str) -> Index:
    return Index(f"ix_duplicate_referrals_{name}", *columns, postgresql_where=text(which))


class DuplicateReferral(SQLModel, table=True):
    """Two files that may be one child, or a file not opened because its child may have one already.

    Somebody whose remit holds `region_code`, where the new file belongs, looks into it; the other
    child is not named to those who may not know of it. `submitted_sealed` is what was sent, by
    `agency_id`, in the role `submitted_role`, and under its id `submitted_id`; `content_mac`
    recognises it when it is sent again. `child_id`: the file that was to be changed, or the one
    that was opened of it once the offices had answered.
    """

    __tablename__ = "duplicate_referrals"
    __table_args__: Any = (
        CheckConstraint("reason IN ('resident_id', 'id', 'name_and_birth_date')", name="reason"),
        Index("ix_duplicate_referrals_region_code", "region_code", "created_at"),
        _referrals("sent", "submitted_id IS NOT NULL", "submitted_id"),
        _referrals("waiting_child", "settled_at IS NULL", "child_id"),
        _referrals("waiting_other", "settled_at IS NULL", "other_child_id"),
        _referrals("numbered", "reason = 'resident_id'", "child_id", "other_child_id"),
        _referrals("tried", "reason = 'resident_id'", "submitted_by", "created_at"),
        Index(
            "uq_duplicate_referrals_pair",
            "child_id",
            "other_child_id",
            unique=True,
            postgresql_where=text("reason = 'name_and_birth_date'"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    region_code: int = Field(sa_type=BigInteger)
    reason: str
    child_id: UUID | None = None
    other_child_id: UUID | None = None
    submitted_sealed: bytes | None = None
    submitted_by: str
    submitted_role: str | None = None
    submitted_id: UUID | None = None
    content_mac: bytes | None = None
    agency_id: UUID | None = None
    created_at: datetime = Field(sa_type=Instant)
    settled_at: datetime | None = Field(default=None, sa_type=Instant)


distribution.by("children", distribution.COUNTY)
distribution.in_one_place("of two files, often of two counties", "duplicate_referrals")
rls.protect("children", **OF_FILES, privileges="SELECT, INSERT, UPDATE")
rls.protect(
    "duplicate_referrals",
    using=rls.case((rls.IN_RANGE, f"{rls.SCHOOL} IS NULL")),
    check=rls.case((rls.IN_RANGE, "true")),
    privileges="SELECT, INSERT, UPDATE",
)
retention.for_ever("child_changes", "one file per child, with its history (REG-03)")
