"""Numbers under which other systems know the child."""

from pydantic import Field

from app.children.sections.marks import Part, Section
from app.core.http.wire import RegisterNumber


class ExternalNumber(Part):
    """A number under which another system knows the child."""

    system: str = Field(
        min_length=1,
        max_length=80,
        pattern=r"^[a-z0-9][a-z0-9_.:-]*$",
        description="The system, e.g. `student_status` or one named after a school.",
        examples=["student_status"],
    )
    number: RegisterNumber = Field(
        description="The number in that system; width and spaces make no difference.",
        examples=["G2020-0001"],
    )


class External(Section):
    """Numbers in other systems (REG-02)."""

    numbers: list[ExternalNumber] = Field(default=[], max_length=20, description="The numbers.")
