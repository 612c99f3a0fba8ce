"""What a file must not say, before anything asks the database. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from app.children import residents, rules
from app.core.problems import FieldError

_PAST: Final = frozenset({"birth_date", "since", "evaluated_on"})


def broken(sections: Mapping[str, Mapping[str, Any]], *, on: date, new: bool) -> list[FieldError]:
    """Return every rule that whole sections break. `new`: the file is just being opened."""
    errors = [
        error for section, value in sections.items() for error in _dates(value, f"#/{section}", on)
    ]
    if "identity" in sections:
        errors += _identity(sections["identity"], on, new=new)
    if "residence" in sections and sections["residence"]["region_code"] is None:
        errors.append(_missing("#/residence/region_code"))
    roles = [parent["role"] for parent in sections.get("family", {}).get("parents", ())]
    if len(set(roles)) != len(roles):
        errors.append(
            FieldError(
                pointer="#/family/parents",
                code="parent_repeated",
                detail="One entry per parent; put every status into it.",
            )
        )
    return errors


def _identity(identity: Mapping[str, Any], on: date, *, new: bool) -> Iterator[FieldError]:
    absent = [name for name in ("name", "sex", "birth_date") if identity[name] is None]
    if absent:
        yield from (_missing(f"#/identity/{name}") for name in absent)
        return
    birth_date = date.fromisoformat(identity["birth_date"])
    if new and rules.age_on(birth_date, on) >= rules.ADULT:
        yield FieldError(
            pointer="#/identity/birth_date",
            code="not_a_minor",
            detail="Files are opened for children under 18.",
        )
    number = identity["resident_id"]
    if number is None:
        return
    found = residents.broken_rules(number, birth_date=birth_date, sex=identity["sex"])
    if identity["no_resident_id_reason"] is not None:
        found.append("resident_id_reason")
    for rule in found:
        yield FieldError(pointer="#/identity/resident_id", code=rule, detail=residents.RULES[rule])


def _dates(value: Any, pointer: str, on: date) -> Iterator[FieldError]:
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _dates(item, f"{pointer}/{position}", on)
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        if name in _PAST and item is not None and date.fromisoformat(item) > on:
            yield FieldError(
                pointer=f"{pointer}/{name}",
                code="date_in_future",
                detail="This day has not come yet.",
            )
        yield from _dates(item, f"{pointer}/{name}", on)
    since, until = value.get("since"), value.get("until")
    if since is not None and until is not None and until < since:
        yield FieldError(
            pointer=f"{pointer}/until",
            code="period_ends_before_it_starts",
            detail="`until` lies before `since`.",
        )


def _missing(pointer: str) -> FieldError:
    return FieldError(pointer=pointer, code="missing", detail="This is required.")
