"""How the sections of a file are kept: plain columns, and one sealed column where it needs one."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

import orjson

from app.children import naming, residents, sections
from app.core.data.crypto import Keyring

SEALED: Final[Mapping[str, tuple[str, ...]]] = {
    "identity": ("resident_id", "resident_id_place_known"),
    "residence": ("address",),
    "family": ("parents",),
    "guardianship": ("guardian",),
    "education": ("student_numbers",),
    "health": ("disability_card_no", "notes"),
    "external": ("numbers",),
}
"""Fields kept encrypted, by section (D9, DB-4)."""

_PLAIN: Final = frozenset({"hukou", "residence", "guardianship", "education", "health", "welfare"})

_IDENTITY_COLUMNS: Final = (
    "name",
    "name_pinyin",
    "sex",
    "birth_date",
    "ethnic_group",
    "no_resident_id_reason",
)

BLANK: Final[Mapping[str, Mapping[str, Any]]] = {
    section: model.model_construct().model_dump(mode="json")
    for section, model in sections.MODELS.items()
}
"""Each section while nothing is known."""


def columns_of(section: str) -> tuple[str, ...]:
    """Name the columns of `children` that a section is read from."""
    plain = _IDENTITY_COLUMNS if section == "identity" else (section,) * (section in _PLAIN)
    return (*plain, f"{section}_sealed") if section in SEALED else plain


def keep(
    keyring: Keyring, child_id: UUID, section: str, value: Mapping[str, Any]
) -> dict[str, Any]:
    """Turn a section as on the wire into column values of one child's row."""
    shown = dict(value)
    if section == "identity":
        number = shown.get("resident_id")
        shown["resident_id_place_known"] = number and residents.place_is_known(number)
    columns: dict[str, Any] = {}
    if section in SEALED:
        hidden = {name: shown.pop(name) for name in SEALED[section]}
        column = f"{section}_sealed"
        columns[column] = (
            keyring.seal(f"children.{column}", child_id, orjson.dumps(hidden))
            if any(hidden.values())
            else None
        )
    if section == "identity":
        return {**columns, **_identity_columns(shown)}
    return {**columns, section: shown} if section in _PLAIN else columns


def show(keyring: Keyring, row: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Turn a row with `id` and `columns_of(section)` back into the section, every field present."""
    if section == "identity":
        value = {name: row[name] for name in _IDENTITY_COLUMNS}
        value |= dict.fromkeys(SEALED[section])
    else:
        value = dict(BLANK[section])
        if section in _PLAIN:
            value.update(_loaded(row[section]))
    if section in SEALED:
        column = f"{section}_sealed"
        if row[column] is not None:
            raw = keyring.unseal_bytes(f"children.{column}", row["id"], row[column])
            value.update(orjson.loads(raw))
    return value


def _identity_columns(value: Mapping[str, Any]) -> dict[str, Any]:
    spelling = naming.spell(value["name"])
    return {
        **{name: value[name] for name in _IDENTITY_COLUMNS if name != "name_pinyin"},
        "birth_date": date.fromisoformat(value["birth_date"]),
        "name_pinyin": spelling.pinyin,
        "name_initials": spelling.initials,
        "name_reversed": spelling.reversed,
    }


def _loaded(stored: Any) -> Mapping[str, Any]:
    # asyncpg hands jsonb over as text, SQLAlchemy as a dict.
    loaded: Mapping[str, Any] = orjson.loads(stored) if isinstance(stored, str) else stored
    return loaded
