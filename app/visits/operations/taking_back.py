"""Taking visits away from a child who was not visited."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.children import queries as children
from app.children import rows
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.jobs import events
from app.visits import queries
from app.visits.events import VisitTakenBack
from app.visits.operations.storing import CONTENT, NAMED, digests
from app.visits.schemas.recording import VisitCreate

_PLACED: Final = """
SELECT v.*, NULL::date AS birth_date FROM visits v
WHERE home_county = $5 AND child_id = $1 AND agency_id = $2
  AND (id = ANY ($3::uuid[]) OR called IS NULL
       OR (called = ANY ($4::uuid[]) AND called <> child_id))
ORDER BY received_at, id FOR UPDATE
"""
_KEPT: Final = """
SELECT version, snapshot_sealed FROM visit_versions WHERE home_county = $1 AND visit_id = $2
"""
_FORGET: Final = "DELETE FROM visit_versions WHERE home_county = $1 AND visit_id = ANY ($2::uuid[])"
_GONE: Final = """
WITH gone AS (DELETE FROM visits WHERE home_county = $1 AND id = ANY ($2::uuid[]) RETURNING id)
UPDATE visits v SET possibly_same_as = NULL, same_as = NULL
WHERE v.child_id = $3 AND v.home_county = $1 AND v.id <> ALL ($2::uuid[])
  AND (v.possibly_same_as = ANY ($2::uuid[]) OR v.same_as = ANY ($2::uuid[]))
RETURNING v.id
"""


class Placed(NamedTuple):
    """A visit taken back: its id, what was sent first, what it was corrected to, when it came, and
    whether it ever held an abnormal finding.
    """

    id: UUID
    first: VisitCreate
    corrected: list[Any]
    received_at: datetime
    abnormal: bool


async def take_back(
    tx: Tx,
    sender: Principal,
    child_id: UUID,
    ids: Sequence[UUID],
    called: Sequence[UUID],
) -> tuple[list[Placed], list[UUID]]:
    """Take visits away from a child who was not visited, by their ids and by the names their agency
    called the child by; announce it, and return them, with the ids of all visits that were compared
    with these. What a visit called its child before that was kept is told by the digest of what was
    sent. In SYSTEM's reach.
    """
    placed, found = [], []
    county = await children.opened_in(tx, child_id)
    await keys.load(tx, [of_child(child_id)], county)
    those = (child_id, sender.agency_id, ids, called, county)
    for row in await tx.connection.fetch(_PLACED, *those):
        now = queries.visit_of(tx, sender, row).model_dump_json(include=CONTENT)
        kept = await tx.connection.fetch(_KEPT, row["home_county"], row["id"])
        before = {each["version"]: rows.unsealed(tx, "visits", row["id"], each) for each in kept}
        contents = [orjson.loads(before[each]) for each in sorted(before)] + [orjson.loads(now)]
        contents[-1][NAMED] = queries.words_of(tx, row).get(NAMED)
        sent = {name: contents[0][name] for name in VisitCreate.model_fields}
        sent |= {"child_id": row["called"] or child_id, **(contents[0].get("as_sent") or {})}
        first = VisitCreate.model_validate(sent).known_as(row["id"])
        if row["called"] is None:
            named = (first.model_copy(update={"child_id": name}) for name in called)
            said = [each for each in named if row["content_mac"] in digests(tx, each)]
            if not said and row["id"] not in ids:
                continue
            first = said[0] if said else first
        found.append(row)
        wrong = any(one["abnormal"] for content in contents for one in content["findings"])
        placed.append(Placed(row["id"], first, contents[1:], row["received_at"], wrong))
    if not found:
        return [], []
    gone = [row["id"] for row in found]
    await tx.connection.execute(_FORGET, found[0]["home_county"], gone)
    others = await tx.connection.fetch(_GONE, found[0]["home_county"], gone, child_id)
    about = [{**rows.announced(row), "visited_on": row["visited_on"]} for row in found]
    await events.publish(tx, *(VisitTakenBack(**each) for each in about))
    return placed, [*gone, *(row["id"] for row in others)]
