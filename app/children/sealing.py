"""How the sections of a file are kept: counted fields plain, all others in one sealed column.

The counted fields of a section are a jsonb column named after it; those of identity, which searches
read, are columns of their own. A child is known by name and birth date without unsealing anything,
by a keyed hash of both (`name_index`). What is shown is read from wherever the row has it, so that
a field whose mark changed stays readable until its section is next written.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.roles import FIELD_GROUPS, Role
from app.children import child_keys, naming, residents
from app.children.models import Child
from app.children.sections import SECTIONS, File
from app.children.sections.identity import Identity, IdentityShown
from app.children.sections.marks import BadField, Mark, Part, Section, filled, marked, parts
from app.core.data import keys
from app.core.data.crypto import Keyring
from app.core.data.envelopes import Erased, of_child
from app.core.text import canonical_name

_COLUMNS: Final = frozenset(Child.model_fields)
_OWN_COLUMNS: Final = "identity"
"""The section whose counted fields have a column each."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a section lies in a row of `children`, what is shown while nothing is known, and which
    fields hold parts.
    """

    plain: tuple[str, ...]
    sealed: str
    counted: frozenset[str]
    blank: Mapping[str, object]
    parts: Mapping[str, type[Part]]


def place_of(section: str, model: type[Section]) -> Place:
    """Work out where a section lies. Raises BadField if the table has no column for a field."""
    counted, blank = marked(model, Mark.counted), model().model_dump()
    own = section == _OWN_COLUMNS
    if own:
        made = [name for name in IdentityShown.model_fields if name not in blank]
        counted |= marked(IdentityShown, Mark.counted).intersection(made)
        blank |= dict.fromkeys(made)
    plain = tuple(name for name in (blank if own else (section,)) if name in _COLUMNS)
    sealed = f"{section}_sealed"
    for name in blank:
        column = (name if own else section) if name in counted else sealed
        if column not in _COLUMNS:
            how = "Counted" if name in counted else "sealed"
            raise BadField(f"{model.__name__}.{name}: is {how}, so children needs {column}")
    return Place(plain, sealed, counted, blank, parts(model))


PLACES: Final[Mapping[str, Place]] = {
    section: place_of(section, model) for section, model in SECTIONS.items()
}


def columns_of(section: str) -> tuple[str, ...]:
    """Name the columns of `children` that a section is read from; none if it is derived."""
    place = PLACES.get(section)
    return () if place is None else (*place.plain, place.sealed)


def keep(keyring: Keyring, child_id: UUID, section: str, value: Section) -> dict[str, object]:
    """Turn a section into column values of one child's row."""
    place, fields = PLACES[section], value.model_dump()
    columns: dict[str, object] = {}
    if isinstance(value, Identity):
        columns |= naming.BLANK
        columns["name_index"] = name_index(keyring, value.name, value.birth_date)
        fields["name_pinyin"] = naming.spell(value.name or "")["name_pinyin"]
        number = value.resident_id
        fields["resident_id_place_known"] = number and residents.place_is_known(number)
    plain = {name: fields.pop(name) for name in place.counted}
    if section == _OWN_COLUMNS:
        columns |= plain
    elif place.plain:
        columns[section] = orjson.dumps(plain).decode()
    known = any(fields[name] != place.blank[name] for name in fields)
    columns[place.sealed] = (
        keyring.seal(f"children.{place.sealed}", child_id, orjson.dumps(fields), of_child(child_id))
        if known
        else None
    )
    return columns


def show(keyring: Keyring, row: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Turn a row with `id`, the child's key and `columns_of(section)` back into the section, every
    field present, also those that it, or a part of it, had not when it was kept. Of a child that
    was erased nothing is known that was sealed.
    """
    keys.brought(keyring, of_child(row["id"]), row)
    place = PLACES[section]
    value = dict(place.blank)
    if section == _OWN_COLUMNS:
        value.update({name: row[name] for name in place.plain})
        value["name"] = value["name"] or None  # blank once it was erased
    elif place.plain:
        value.update(_loaded(row[section]))
    if row[place.sealed] is not None:
        with suppress(Erased):
            raw = keyring.unseal_bytes(f"children.{place.sealed}", row["id"], row[place.sealed])
            value.update(orjson.loads(raw))
    for name, part in place.parts.items():
        value[name] = filled(part, value[name])
    return value


IDENTITY: Final = ", ".join(
    (*(f"c.{column}" for column in columns_of(_OWN_COLUMNS)), child_keys.KEY_OF_FILE)
)
NAMED: Final = f"c.identity_sealed, c.name, c.name_pinyin, {child_keys.KEY_OF_FILE}"
"""Columns in which `named` finds a name, beside `id`: sealed, or plain if the release before wrote
it.
"""
SAME_CHILD: Final = (
    "(c.name_index = ANY ({}::bytea[]) OR (c.birth_date = {} AND c.name_canonical = {}))"
)
"""That `children c` has the name and birth date of `same_child`."""


def named(keyring: Keyring, row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name in a row with `id` and NAMED, and how it is spelt in Latin letters."""
    keys.brought(keyring, of_child(row["id"]), row)
    said = {"name": row["name"], "name_pinyin": row["name_pinyin"]}
    if (sealed := row["identity_sealed"]) is not None:
        with suppress(Erased):
            raw = keyring.unseal_bytes("children.identity_sealed", row["id"], sealed)
            said |= orjson.loads(raw)
    return said["name"], said["name_pinyin"]


def name_index(keyring: Keyring, name: str | None, birth_date: date | None) -> bytes | None:
    """Make the blind index of a name and a birth date, in the whole nation: so few share both that
    how often one occurs tells nothing.
    """
    return next(iter(_name_indexes(keyring, name, birth_date)), None)


def _name_indexes(keyring: Keyring, name: str | None, birth_date: date | None) -> list[bytes]:
    if name is None or birth_date is None:
        return []
    said = f"{birth_date}\0{canonical_name(name)}"
    return [each[:16] for each in keyring.blind_indexes("children", said)]


def same_child(
    keyring: Keyring, name: str | None, birth_date: date | None
) -> tuple[list[bytes], date | None, str]:
    """Return what SAME_CHILD compares: the blind indexes under which both may be found, and both in
    the clear for files in which the release before wrote them so.
    """
    made = _name_indexes(keyring, name, birth_date)
    return made, birth_date, canonical_name(name or "")


_AS_SENT: Final = "children.as_sent_sealed"


def keep_aside(keyring: Keyring, child_id: UUID, aside: Mapping[str, Any]) -> bytes | None:
    """Seal what a file was sent with and does not hold."""
    said = orjson.dumps(aside)
    return keyring.seal(_AS_SENT, child_id, said, of_child(child_id)) if aside else None


def kept_aside(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file was sent with and does not hold, by field; empty for nothing."""
    keys.brought(keyring, of_child(row["id"]), row)
    with suppress(Erased):
        if sealed := row["as_sent_sealed"]:
            said: dict[str, Any] = orjson.loads(keyring.unseal_bytes(_AS_SENT, row["id"], sealed))
            return said
    return {}


def show_aside(keyring: Keyring, row: Mapping[str, Any], role: Role) -> dict[str, Any] | None:
    """Turn it back: of sections that the role reads, and what is of no section for whoever may open
    files; None for nothing.
    """
    aside = kept_aside(keyring, row)
    opens = "identity" in role.writes
    shown = {
        name: each
        for name, each in aside.items()
        if (section := name.partition(".")[0]) in role.reads
        or (opens and section not in FIELD_GROUPS)
    }
    return shown or None


def whole(keyring: Keyring, row: Mapping[str, Any]) -> File:
    """Turn a row with `id` and the columns of every section into the file."""
    return File.model_validate(
        {section: show(keyring, row, section) for section in SECTIONS}, extra="ignore"
    )


def _loaded(stored: Any) -> Mapping[str, Any]:
    # asyncpg hands jsonb over as text, SQLAlchemy as a dict.
    loaded: Mapping[str, Any] = orjson.loads(stored) if isinstance(stored, str) else stored
    return loaded
