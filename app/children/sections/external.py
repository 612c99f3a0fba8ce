"""Numbers under which other systems know the child."""

from pydantic import Field

from app.children.sections.marks import Part, Section


class ExternalNumber(Part):
    """A number under which another system knows the child."""

    system: str = Field(
        min_length=1,
        max_length=80,
        pattern=r"^[a-z0-9][a-z0-9_.:-]*$",
        description="The system, e.g. `student_status` or one named after a school.",
        examples=["student_status"],
    )
    number: str = Field(
        min_length=1,
        max_length=60,
        pattern=r"^[A-Za-z0-9._/-]+$",
        description="The number in that system.",
        examples=["G2020-0001"],
    )


class External(Section):
    """Numbers in other systems (REG-02)."""

    numbers: list[ExternalNumber] = Field(default=[], max_length=20, description="The numbers.")
