"""What a file must not say, before anything asks the database. Pure."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Any, Final

from pydantic import ValidationError

from app.children import residents, rules
from app.children.sections import SECTIONS, File
from app.children.sections.family import ParentStatus
from app.children.sections.guardianship import Guardianship
from app.children.sections.identity import Identity
from app.children.sections.marks import Mark, Part, marked
from app.children.sections.welfare import Hardship
from app.core.problems import FieldError


def broken(file: File, sections: Collection[str], *, on: date, new: bool) -> list[FieldError]:
    """Return every rule that sections of a file break. `new`: the file is just being opened."""
    errors = [
        error
        for section in sections
        for error in _dates(getattr(file, section), f"#/{section}", on)
    ]
    if "identity" in sections:
        errors += _identity(file.identity, on, new=new)
    if "residence" in sections and file.residence.region_code is None:
        errors.append(_missing("#/residence/region_code"))
    roles = [parent.role for parent in file.family.parents]
    if "family" in sections and len(set(roles)) != len(roles):
        detail = "One entry per parent; put every status into it."
        errors.append(FieldError("#/family/parents", "parent_repeated", detail))
    if "guardianship" in sections and _better_than_its_grounds(file.guardianship):
        detail = (
            "Good: the duty performed and all protected well, no risk; fair: nothing of it not"
            " (RSK-03)."
        )
        errors.append(FieldError("#/guardianship/evaluation", "evaluation_unfounded", detail))
    return errors


def _better_than_its_grounds(said: Guardianship) -> bool:
    """Worse it may be: grounds of the evaluation before may stand there still."""
    grounds = said.evaluation_grounds
    if grounds is None:
        return False
    protected = {grounds.life, grounds.education, grounds.health, grounds.performance or "well"}
    if said.evaluation == "good":
        return protected != {"well"} or bool(grounds.risks)
    return said.evaluation == "fair" and "not" in protected


_TOLD: Final = frozenset(
    {
        *("date_in_future", "period_ends_before_it_starts", "school_unknown", "region_unknown"),
        "evaluation_unfounded",
    }
)
"""Rules a file is opened without: what breaks them is kept as it was sent."""


def set_aside(
    file: File, errors: Iterable[FieldError], *, offline: bool
) -> tuple[File, dict[str, Any], list[FieldError]]:
    """Take out of a file what it can be opened without: a number that is wrong or another child's,
    and if it was opened `offline`, all but the child's name, its birth date and where it lives.
    Returns the file, what was taken, by its place, as `education.school_id`, and the errors that
    remain.
    """
    sections: dict[str, dict[str, Any]] = {}
    aside: dict[str, Any] = {}
    remain = []
    for error in errors:
        section, *path, last = error.pointer.removeprefix("#/").split("/")
        needed = section == "identity" or (section, last) == ("residence", "region_code")
        told = offline and not needed and error.code in _TOLD
        if not told and error.code not in residents.RULES:
            remain.append(error)
            continue
        if ".".join([section, *path, last]) in aside:
            continue
        if error.code == "resident_id_reason":  # there is a number
            last = "no_resident_id_reason"
        holder: Any = sections.setdefault(section, getattr(file, section).model_dump())
        for step in path:
            holder = holder[int(step) if isinstance(holder, list) else step]
        aside[".".join([section, *path, last])], holder[last] = holder[last], None
    read = {name: _without(file, name, said, aside) for name, said in sections.items()}
    return file.model_copy(update=read), aside, remain


def _without(file: File, name: str, said: dict[str, Any], aside: dict[str, Any]) -> Any:
    """Read what is left of a section. What cannot be without what was taken out of it, as a
    hardship without its day, goes aside whole.
    """
    try:
        return SECTIONS[name].model_validate(said)
    except ValidationError as error:
        whole = getattr(file, name).model_dump(exclude_unset=True)  # as it was sent
        for field in {str(each["loc"][0]) for each in error.errors()}:
            for place in [each for each in aside if each.startswith(f"{name}.{field}.")]:
                del aside[place]
            aside[f"{name}.{field}"] = whole[field]
            del said[field]
        return SECTIONS[name].model_validate(said)


def _identity(identity: Identity, on: date, *, new: bool) -> Iterator[FieldError]:
    sex, birth_date, number = identity.sex, identity.birth_date, identity.resident_id
    if identity.name is None or sex is None or birth_date is None:
        for name in ("name", "sex", "birth_date"):
            if getattr(identity, name) is None:
                yield _missing(f"#/identity/{name}")
        return
    if new and rules.age_on(birth_date, on) >= rules.ADULT:
        yield FieldError(
            "#/identity/birth_date", "not_a_minor", "Files are opened for children under 18."
        )
    if number is None:
        return
    found = residents.broken_rules(number, birth_date=birth_date, sex=sex)
    if identity.no_resident_id_reason is not None:
        found.append("resident_id_reason")
    for rule in found:
        yield FieldError("#/identity/resident_id", rule, residents.RULES[rule])


def _dates(part: Part, pointer: str, on: date) -> Iterator[FieldError]:
    past = marked(type(part), Mark.past)
    for name, value in part:
        if name in past and value is not None and value > on:
            yield FieldError(f"{pointer}/{name}", "date_in_future", "This day has not come yet.")
        if isinstance(value, Part):
            yield from _dates(value, f"{pointer}/{name}", on)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, Part):
                    yield from _dates(item, f"{pointer}/{name}/{position}", on)
    if (
        isinstance(part, ParentStatus | Hardship)
        and part.since
        and part.until
        and part.until < part.since
    ):
        yield FieldError(
            f"{pointer}/until", "period_ends_before_it_starts", "`until` lies before `since`."
        )


def _missing(pointer: str) -> FieldError:
    return FieldError(pointer, "missing", "This is required.")
