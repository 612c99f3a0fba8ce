"""Policy and code lists on the wire."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.core.http.wire import Day, ShownRegion

Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
Label = Annotated[str, Field(max_length=400, pattern=r"^[^\x00]*$")]
ParameterName = Annotated[
    str,
    Field(
        min_length=3,
        max_length=60,
        pattern=r"^[a-z_]+(\.[a-z_]+)?$",
        description="Name of a policy parameter.",
        examples=["lbc.age_limit"],
    ),
]
ListName = Annotated[
    str,
    Field(
        min_length=3,
        max_length=60,
        pattern=r"^[a-z_]+$",
        description="Name of a code list.",
        examples=["parent_statuses"],
    ),
]


class ParameterValue(BaseModel):
    """One value of a parameter, and what says so."""

    region_code: ShownRegion = Field(
        description="The division that set the value, 12 digits; 000000000000 is the nation.",
        examples=["120000000000"],
    )
    valid_from: Day = Field(description="First day the value holds.")
    valid_until: Day | None = Field(description="Last day it holds; null while it has no end.")
    value: Any = Field(description="The value, shaped as the parameter's schema says.")
    citation: Label = Field(description="Obligation ids or the text it is taken from.")


class _Parameter(BaseModel):
    name: ParameterName
    title_zh: Label = Field(description="What it settles, in Chinese.")
    title_en: Label = Field(description="What it settles, in English.")
    note: Text = Field(description="What to know about it; empty if nothing.")


class EffectiveParameter(_Parameter, ParameterValue):
    """The value that holds in a region on a day; `region_code` is where it comes from."""


class ParameterHistory(_Parameter):
    """A parameter with every value of every region."""

    value_schema: dict[str, Any] = Field(description="JSON Schema of the values.")
    values: list[ParameterValue] = Field(
        max_length=1000, description="By region, then by first day."
    )


class Clause(BaseModel):
    """One obligation of the source documents, and what of Tonghu carries it."""

    id: str = Field(
        max_length=10,
        pattern=r"^[A-Z]{3}-[0-9]{2}$",
        description="Obligation id.",
        examples=["VIS-01"],
    )
    area: Label = Field(description="The area it belongs to.")
    title_zh: Label = Field(description="Words of the source.")
    title_en: Label = Field(description="Short English title.")
    source: Label = Field(description="Document and section.")
    who: Text = Field(description="Who must act.")
    what: Text = Field(description="What must be done.")
    when: Text = Field(description="By when; — where the source does not say.")
    original: Text = Field(description="The Chinese original.")
    status: Literal["carried", "partly", "not_yet"] = Field(
        description="Whether all of its sentence is carried, some of it, or nothing yet."
    )
    missing: Text | None = Field(
        description="Of one carried partly, what is not; null of the others."
    )
    carried_by: list[Label] = Field(max_length=50, description="What carries it: `kind:reference`.")
    tests: list[Label] = Field(max_length=50, description="Tests that would fail without it.")


class CodelistSummary(BaseModel):
    """A closed list of codes."""

    name: ListName
    title_zh: Label = Field(description="What it lists, in Chinese.")
    title_en: Label = Field(description="What it lists, in English.")
    source: Label = Field(description="Standard, form or obligation it is taken from.")
    by_region: bool = Field(description="Whether the codes depend on the region.")


class Code(BaseModel):
    """One code."""

    code: str = Field(
        max_length=60,
        pattern=r"^[A-Za-z0-9_.]+$",
        description="What travels in fields.",
        examples=["away"],
    )
    zh: Label = Field(description="What it is called in Chinese.")
    en: Label = Field(description="What it is called in English.")


class Codelist(CodelistSummary):
    """A closed list with its codes."""

    codes: list[Code] = Field(max_length=500, description="The codes, in order.")
