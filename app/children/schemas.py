"""What travels on the wire about a child's file."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from app.children.dress import undressed
from app.children.sections.adoption import Adoption
from app.children.sections.derived import Derived
from app.children.sections.education import Education
from app.children.sections.external import External
from app.children.sections.family import Family
from app.children.sections.guardianship import Guardianship
from app.children.sections.health import Health
from app.children.sections.hukou import Hukou
from app.children.sections.identity import Identity, IdentityShown, NewIdentity, ResidentNumber, Sex
from app.children.sections.residence import NewResidence, Residence
from app.children.sections.welfare import Welfare
from app.core.http.as_sent import Place, TakenAsSent
from app.core.http.wire import (
    Code,
    Day,
    GivenRegion,
    Input,
    Line,
    Moment,
    Name,
    Permitted,
    RegionCode,
    ShownRegion,
    Version,
)
from app.core.ids import is_id, standing_for
from app.core.text import letters
from app.policy.schemas import Label, ParameterName

ChildId = Annotated[
    UUID, Field(description="The child's id.", examples=["0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"])
]
_FEWEST_LETTERS: Final = 2
Count = Annotated[int, Field(ge=0, le=2_000_000_000)]
Group = Annotated[str, Field(max_length=20, pattern=r"^[a-z]+$", description="A section.")]


class _Sections(Input):
    hukou: Hukou | None = None
    family: Family | None = None
    adoption: Adoption | None = None
    guardianship: Guardianship | None = None
    education: Education | None = None
    health: Health | None = None
    welfare: Welfare | None = None
    external: External | None = None


class ChildCreate(_Sections, TakenAsSent):
    """A new file (REG-02). Sections left out are empty.

    Opened offline, which its `id` says, it is refused only for what no file can be without: the
    child's name, its birth date and where it lives. What else cannot be read or followed is kept as
    sent (`as_sent`). Without an `id` whoever sends it sits before it, and is told what to mend, but
    for a number that is wrong and for how a day or a sex is written.
    """

    needed: ClassVar[frozenset[str]] = frozenset(
        {"id", "residence.region_code", "identity.name", "identity.birth_date"}
    )

    id: UUID | None = Field(
        default=None,
        description="Id made by a client that was offline; the same id again opens no second file."
        " One that is no UUID is another name of the file, whose id the answer tells.",
        examples=["0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"],
    )
    recorded_at: Moment | None = Field(
        default=None,
        description="When the device stored it, by its own clock, if it was opened offline: whoever"
        " held a post at the place on that day may open it.",
    )
    identity: NewIdentity
    residence: NewResidence
    not_the_same_as: list[ChildId] = Field(
        default=[],
        max_length=20,
        description="Children named by an earlier `duplicate-child` who were found to be others.",
    )

    @classmethod
    def takes_anything(cls, sent: Any) -> bool:
        return not isinstance(sent, dict) or _offline(sent)

    @classmethod
    def prepared(
        cls, said: dict[str, Any], replaced: dict[str, Any], unread: dict[str, Any]
    ) -> dict[str, Any]:
        """Leave out what says nothing, and read who the child is in whatever dress."""
        unread |= replaced
        rest: dict[str, Any] = _said(said) if _offline(said) else said
        if rest.get("id") is not None and not is_id(rest["id"]):
            unread["id"] = rest["id"]
            rest["id"] = standing_for("child_id", rest["id"])  # as visits call the child
        if isinstance(rest.get("identity"), dict):
            rest["identity"] = undressed(rest["identity"], unread)
            if _offline(said) and rest["identity"].get("sex") is None:
                rest["identity"]["sex"] = "unknown"
        return rest

    @property
    def called(self) -> UUID | None:
        """By which id that is none its client calls the file, if by such."""
        return self.id if "id" in self.unread else None

    @classmethod
    def _needs(cls, said: dict[str, Any], place: Place) -> bool:
        return not _offline(said) or super()._needs(said, place)


def _offline(sent: dict[str, Any]) -> bool:
    return sent.get("id") is not None


def _said(sent: Any) -> Any:
    if isinstance(sent, dict):
        return {name: _said(each) for name, each in sent.items() if each != ""}
    return [_said(each) for each in sent] if isinstance(sent, list) else sent


class ChildChange(_Sections):
    """A change, section by section (JSON merge patch, RFC 7396): a field left out stays as it is,
    null clears it, a list replaces the list.
    """

    identity: Identity | None = None
    residence: Residence | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("change_empty", "Name at least one section.")
        return self


class Setting(BaseModel):
    """A policy parameter that decides, and the place whose value holds."""

    name: ParameterName
    region_code: ShownRegion = Field(description="Who set the value; 000000000000 is the nation.")
    citation: Label = Field(description="Where the value is from.")


class Reason(BaseModel):
    """Why a child is in a category or flagged, or why that is undecided."""

    result: Code = Field(description="The category, flag, or `left_behind.counted`.")
    holds: bool | None = Field(description="Whether it is so; null if the file does not decide.")
    facts: list[Line] = Field(
        max_length=50,
        description="Places in the file that say so; of what is undecided, what is missing. Those"
        " of sections your role reads.",
        examples=[["family.mother.away", "family.father.dead"]],
    )
    settings: list[Setting] = Field(max_length=20, description="Policy that decides.")
    obligations: list[Line] = Field(
        max_length=20, description="Obligations it carries.", examples=[["DEF-01"]]
    )


class Reasons(BaseModel):
    """Why the derived section of a file says what it says, today."""

    as_of: Day = Field(description="The day.")
    reasons: list[Reason] = Field(
        max_length=60, description="What is so or undecided: categories, then flags."
    )


class Child(BaseModel):
    """A child's file, limited to the sections the caller's role reads."""

    id: ChildId
    version: Version
    created_at: datetime = Field(description="When the file was opened.")
    updated_at: datetime = Field(description="When it last changed.")
    as_sent: dict[str, Any] | None = Field(
        description="What could not be read or followed when it was opened, as it was sent, by"
        " field, as `education.school_id`: a school nobody knows, a day ahead, a clock that"
        " contradicts the post; until the field is changed. Null if all could."
    )
    permitted: Permitted
    identity: IdentityShown | None = None
    hukou: Hukou | None = None
    residence: Residence | None = None
    family: Family | None = None
    adoption: Adoption | None = None
    guardianship: Guardianship | None = None
    education: Education | None = None
    health: Health | None = None
    welfare: Welfare | None = None
    external: External | None = None
    derived: Derived | None = None


class IdentitySummary(BaseModel):
    """Enough to know the child by."""

    name: Name
    name_pinyin: str = Field(
        max_length=600, pattern=r"^[^\x00]*$", description="The name in Latin letters."
    )
    sex: Sex = Field(description="Sex as registered.")
    birth_date: date = Field(description="Date of birth.")


class ResidenceSummary(BaseModel):
    """Where the child lives."""

    region_code: RegionCode


class ChildSummary(BaseModel):
    """One line of a list, limited to the sections the caller's role reads."""

    id: ChildId
    version: Version
    updated_at: datetime = Field(description="When the file last changed.")
    permitted: Permitted
    identity: IdentitySummary | None = None
    residence: ResidenceSummary | None = None
    derived: Derived | None = None


class CategoryCount(BaseModel):
    """How many children are in a category."""

    category: Code = Field(description="The category.", examples=["left_behind"])
    children: Count = Field(description="How many are in it.")
    counted: Count = Field(description="How many of them a statistic counts (DEF-06).")


class ChildrenSummary(BaseModel):
    """How many files there are, and how many children of each category (REG-08: 留守人数)."""

    region_code: RegionCode
    files: Count = Field(description="All files, also of who has grown up.")
    categories: list[CategoryCount] = Field(
        max_length=30,
        description="By category, of those with a child in it; a child may be in several. Empty if"
        " your role does not read the section `derived`.",
    )
    as_of: datetime | None = Field(
        default=None,
        description="Of a place larger than a county: when the earliest part of it was counted,"
        " mostly within the hour. Null: it was counted now.",
    )


class Referral(BaseModel):
    """The file was not opened or changed: it is being looked into whether the child has one."""

    referral_id: UUID = Field(
        description="Quote this when asking.", examples=["0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"]
    )
    status: Literal["referred"] = Field(description="Always `referred`.")


class ChildSearch(Input):
    """What to look for; all conditions given must hold. Never in the URL (AZ-3)."""

    resident_id: ResidentNumber | None = Field(
        default=None, description="Resident identity number, in any spelling."
    )
    name: Name | None = Field(
        default=None,
        description="Name or part of it; width, spaces, dots and case make no difference.",
        examples=["样小"],
    )
    match: Literal["exact", "prefix", "suffix", "infix"] = Field(
        default="exact",
        description=(
            "How `name` is compared. A part needs two characters; one does with a `birth_date`, at"
            " a school, or where the remit or `region_code` lies in one township."
        ),
    )
    pinyin: str | None = Field(
        default=None,
        min_length=2,
        max_length=120,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description=(
            "Beginning of the name in Latin letters, or its initials. Any reading of the surname is"
            " found; ü is typed as ü, v, u or yu. Spaces, tones and case make no difference."
            " What may be one syllable, or less, does where one character of `name` does."
        ),
        examples=["yangxiao"],
    )
    birth_date: Day | None = Field(default=None, description="Date of birth.")
    region_code: GivenRegion | None = Field(default=None, description="Only inside this region.")
    limit: StrictInt = Field(default=50, ge=1, le=200, description="How many at most.")
    cursor: str | None = Field(
        default=None,
        max_length=400,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next_cursor` of the page before.",
    )

    @model_validator(mode="after")
    def _looks_for_something(self) -> Self:
        if self.resident_id is None and self.name is None and self.pinyin is None:
            raise PydanticCustomError("search_empty", "Give resident_id, name or pinyin.")
        if self.pinyin is not None and len(letters(self.pinyin)) < _FEWEST_LETTERS:
            raise PydanticCustomError("pinyin_too_short", "Give two letters or more.")
        return self


class FieldChange(BaseModel):
    """One field before and after."""

    pointer: str = Field(
        max_length=300,
        pattern=r"^/[a-z_/]+$",
        description="JSON pointer into the file.",
        examples=["/residence/region_code"],
    )
    before: Any = Field(description="As it was; null if it was empty.")
    after: Any = Field(description="As it became; null if it was cleared.")
    as_sent: dict[str, Any] | None = Field(
        description="What of it could not be read when the file was opened, as it was sent, by"
        " field: the change put it right, so the file shows it no more. Null if all could."
    )


class HistoryEntry(BaseModel):
    """One change of the file, limited to the sections the caller's role reads (REG-11)."""

    version: Version
    at: datetime = Field(description="When.")
    actor: str = Field(
        max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$", description="Who, as the audit says."
    )
    role: str = Field(max_length=40, pattern=r"^[a-z_]+$", description="Under which role.")
    agency_id: UUID | None = Field(description="For which agency.")
    operation: str = Field(
        max_length=60, pattern=r"^[A-Za-z]+$", description="The operation that changed it."
    )
    sections: list[Group] = Field(max_length=20, description="Sections changed that you may read.")
    changes: list[FieldChange] = Field(max_length=200, description="Fields changed in them.")


class Enrolment(BaseModel):
    """Where a child was at school, as known now."""

    id: UUID = Field(description="Its id.")
    school_id: UUID = Field(description="The school.")
    class_name: Line | None = Field(description="The class, as the school writes it.")
    boarding: bool | None = Field(description="Whether the child boarded there.")
    since: Day = Field(description="First day; if nobody said it, the day it was recorded.")
    until: Day | None = Field(description="First day no longer; null: still so.")


class Replaced(BaseModel):
    """When something below a child was corrected, and by whom; a version adds what it said."""

    version: Version
    replaced_at: datetime = Field(description="When it was corrected.")
    replaced_by: Annotated[
        str,
        Field(
            max_length=50,
            pattern=r"^(staff|client):[0-9a-f-]{36}$",
            description="Who corrected it.",
        ),
    ]
