"""A file sent again with other things in fields nobody knows is the same file: they are kept. And
what its client calls it finds it again, be that no id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from app.access.principal import Principal
from app.children import duplicates, queries, sealing
from app.children.child_keys import KEY_OF_FILE
from app.core.data.db import Tx

_MOST: Final = 20
"""How many of one field are kept: an app may write there when it sends."""
_HOLD: Final = (
    f"SELECT c.id, c.as_sent_sealed, {KEY_OF_FILE} FROM children c"
    " WHERE c.home_county = $1 AND c.id = $2 FOR UPDATE OF c"
)
_KEEP: Final = "UPDATE children SET as_sent_sealed = $3 WHERE home_county = $1 AND id = $2"


async def keep(tx: Tx, child_id: UUID, strange: Mapping[str, Any]) -> None:
    """Keep beside a file what is sent with it now in fields nobody knows, by field, the second as
    `sent_at (2)`; of what is there already, nothing. Three statements, none if nothing is sent so.
    """
    if not strange:
        return
    async with tx.as_system():
        county = await queries.opened_in(tx, child_id)
        row = await tx.connection.fetchrow(_HOLD, county, child_id)
        before = sealing.kept_aside(tx.keyring, row)
        aside = {**before}
        for field, said in strange.items():
            names = [field, *(f"{field} ({number})" for number in range(2, _MOST + 1))]
            if any(name in aside and aside[name] == said for name in names):
                continue
            free = next((name for name in names if name not in aside), None)
            aside |= {} if free is None else {free: said}
        if aside != before:
            sealed = sealing.keep_aside(tx.keyring, child_id, aside)
            await tx.connection.execute(_KEEP, county, child_id, sealed)


async def own_id(tx: Tx, principal: Principal, called: UUID) -> UUID:
    """Return the id of ours of a file that its client calls by what is none: the one that it has if
    it was sent before, from whatever post, else the one that it gets.
    """
    now, *then = [uuid5(agency, f"file {called}") for agency in principal.agencies]
    async with tx.as_system():
        before: UUID | None = await tx.connection.fetchval(_THERE, then)
    return before or now


_THERE: Final = "SELECT id FROM children WHERE id = ANY ($1::uuid[]) ORDER BY id LIMIT 1"


async def adopt(tx: Tx, agency_id: UUID, names: Sequence[UUID], child_id: UUID) -> None:
    """Let ids be other names of a file (`duplicates.adopt`)."""
    for name in names:
        await duplicates.adopt(tx, agency_id, name, child_id)
