"""The sections of a file: one module each, whose fields say everything about themselves.

The same models read input, are derived from, and document output; on the way out every field is
present.
"""

from collections.abc import Mapping
from typing import Final, cast

from pydantic import BaseModel

from app.children.sections import marks
from app.children.sections.adoption import Adoption
from app.children.sections.derived import Derived
from app.children.sections.education import Education
from app.children.sections.external import External
from app.children.sections.family import Family
from app.children.sections.guardianship import Guardianship
from app.children.sections.health import Health
from app.children.sections.hukou import Hukou
from app.children.sections.identity import Identity
from app.children.sections.residence import Residence
from app.children.sections.welfare import Welfare
from app.policy.codelists import Codelist


class File(marks.Part):
    """A whole file; a section nothing is known of is blank."""

    identity: Identity = marks.blank(Identity)
    hukou: Hukou = marks.blank(Hukou)
    residence: Residence = marks.blank(Residence)
    family: Family = marks.blank(Family)
    adoption: Adoption = marks.blank(Adoption)
    guardianship: Guardianship = marks.blank(Guardianship)
    education: Education = marks.blank(Education)
    health: Health = marks.blank(Health)
    welfare: Welfare = marks.blank(Welfare)
    external: External = marks.blank(External)


SECTIONS: Final[Mapping[str, type[marks.Section]]] = {
    name: cast("type[marks.Section]", field.annotation) for name, field in File.model_fields.items()
}
"""The sections a client writes, by field group."""

_GROUPS: Final[Mapping[str, type[BaseModel]]] = {**SECTIONS, "derived": Derived}
CODELISTS: Final[Mapping[str, Codelist]] = marks.codelists(_GROUPS.values())
"""The code lists of a file, by name."""

GROUP_OF_FILTER: Final[Mapping[str, str]] = {
    name: group for group, model in _GROUPS.items() for name in marks.filters(model)
}
"""The field group that a filter of lists reads."""
