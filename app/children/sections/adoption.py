"""That a child was adopted, and from whom: whoever adopts or gives a child may want it kept secret
(民法典 1110), so only who registers adoptions reads it. The parents of the section `family` are
those in law: after an adoption, who adopted.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.children.sections.family import Parent
from app.children.sections.marks import Codes, PastDay, Section
from app.core.http.wire import Line

Adopters = Annotated[
    Literal["one", "two"],
    Codes(
        "adopters",
        zh="收养人",
        en="By how many a child was adopted",
        source="民法典 1101, 1102",
        labels={"one": ("单方收养", "One person"), "two": ("夫妻共同收养", "A couple")},
    ),
]


class Adoption(Section):
    """An adoption, and the parents by birth."""

    dated: ClassVar = True
    adopted_on: PastDay | None = Field(
        default=None, description="Day of the registration; null if the child was not adopted."
    )
    adopted_by: Adopters | None = Field(default=None, description="By how many.")
    registration_number: Line | None = Field(
        default=None, description="Number of the certificate (收养登记证)."
    )
    birth_parents: list[Parent] = Field(
        default=[], max_length=2, description="The parents by birth, one entry each."
    )
