"""A copy of what is known of a child, made of what the office that answers reads."""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import queries as children
from app.core.data.db import Tx
from app.rights import schemas
from app.rights.acts import RightsRequestNotFound
from app.rights.copies import copies, picked
from app.rights.models import AskedBy

_ROWS: Final = "FROM {} WHERE home_county = $1 AND child_id = $2 ORDER BY {} DESC, {} LIMIT {}"
_MOST: Final = 20_000
CHAPTERS: Final[Mapping[str, str]] = {
    "visits": "SELECT visited_on, visitor_type, place, channel "
    + _ROWS.format("visits", "visited_on", "id", _MOST),
    "attendance": "SELECT school_day, session, category "
    + _ROWS.format("attendance_slots", "school_day", "session", _MOST),
    "confirmations": "SELECT confirmed_on "
    + _ROWS.format("confirmations", "confirmed_on", "id", _MOST),
    "notices": "SELECT told_on, collection, text_version, told_to, form "
    + _ROWS.format("notices", "told_on", "id", _MOST),
    "consents": "SELECT given_on, collection, given_by, withdrawn_on "
    + _ROWS.format("consents", "given_on", "id", _MOST),
}
"""What is read of each chapter of a copy: of one child, by its key, in the caller's reach."""


async def copy_of(tx: Tx, principal: Principal, row: asyncpg.Record) -> schemas.ChildCopy:
    """Make the copy that a locked request asks for, of the sections and chapters the caller reads.
    A statement, and one for each chapter. Raises RightsRequestNotFound.
    """
    file = await children.read(tx, principal, row["child_id"])
    if file is None:  # pragma: no cover  whoever moves a child waits for its requests
        raise RightsRequestNotFound
    said, asker = copies(), AskedBy(row["asked_by"])
    found: list[schemas.CopiedSection] = []
    not_read: list[str] = []
    for name, section in said.sections.items():
        given = section.given_to(asker)
        if given and name not in file:
            not_read.append(name)
        elif given:
            fields = _fields(file[name], given)
            found.append(_section(name, section.title, fields=fields))
    for name, chapter in said.chapters.items():
        given = chapter.given_to(asker)
        if given and chapter.scope not in principal.scopes:
            not_read.append(name)
        elif given:
            key = row["home_county"], row["child_id"]
            rows = await tx.connection.fetch(CHAPTERS[name], *key)
            fields_of = [_fields(each, given) for each in rows]
            found.append(_section(name, chapter.title, rows=fields_of))
    return schemas.ChildCopy(
        format="tonghu.child-copy/1",
        request_id=row["id"],
        child_id=row["child_id"],
        made_for=asker,
        made_at=tx.now,
        sections=found,
        not_read=not_read,
        left_out_zh=said.left_out.zh,
        left_out_en=said.left_out.en,
    )


def _section(code: str, title: str, **said: Any) -> schemas.CopiedSection:
    return schemas.CopiedSection(**{"code": code, "title": title, "fields": [], "rows": [], **said})


def _fields(value: Mapping[str, Any], given: Mapping[str, str]) -> list[schemas.CopiedField]:
    return [
        schemas.CopiedField(field=name.replace(".", "_"), label=label, value=_plain(said))
        for name, label, said in picked(value, given)
    ]


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, default=str))
