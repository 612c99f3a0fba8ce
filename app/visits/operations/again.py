"""A visit sent again in another dress, or with more in fields nobody knows, is the same visit: what
differs is kept beside it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.core.data.db import Tx
from app.unresolved.models import UnresolvedKind
from app.unresolved.operations import holding
from app.visits import queries
from app.visits.operations.storing import change, digests, understood_as
from app.visits.schemas import MOST
from app.visits.schemas.hinted import hinted
from app.visits.schemas.recording import AGAIN, VisitCreate, heeded, understood_of

_MOST: Final = 20
"""How many differing repetitions are kept: an app may write there when it sends."""
_HOLD: Final = "SELECT * FROM visits WHERE home_county = $1 AND id = $2 FOR UPDATE"
_KEEP: Final = """
UPDATE visits SET words_sealed = $3, version = version + 1, updated_at = $4
WHERE home_county = $1 AND id = $2 RETURNING *
"""


async def stored(
    tx: Tx, principal: Principal, row: Mapping[str, Any], new: VisitCreate
) -> Mapping[str, Any] | None:
    """Recognise a stored visit that was sent with the same but for its dress and for fields nobody
    knows; what these say now is kept beside it, and if it speaks of something wrong that was not
    said before, it is a finding until a person has looked. Returns its row as it stands; None if
    something else was sent.
    """
    async with tx.as_system():
        place = (row["home_county"], row["id"])
        held = await tx.connection.fetchrow(_HOLD, *place)
        words = queries.words_of(tx, held)
        aside = words.get("as_sent") or {}
        if held["content_mac"] not in understood_as(tx, new):  # as the release before knew it
            before = new.model_copy().setting_aside(_first(aside))
            known = held["content_mac"] in digests(tx, before)
            if not known or before.known() != new.known():
                return None
        recorded_at = new.recorded_at if new.recorded_at != held["recorded_at"] else None
        more = _with_more(aside, _beside(new, recorded_at))
        if more == aside:
            return {**row, **held}
        if heeds := _heeding(queries.found(tx, held), more[AGAIN][-1]):
            said = {**held, "birth_date": None}
            found = queries.visit_of(tx, principal, said).model_dump()["findings"]
            changes = {"as_sent": more, "findings": [heeds, *found][:MOST]}
            now, _ = await change(tx, principal, said, changes)
            return {**row, **now, "birth_date": row.get("birth_date")}
        words = {"note": None, "findings": [None] * len(held["findings"]), **words}
        sealed = orjson.dumps({**words, "as_sent": more})
        sealed = tx.keyring.seal(queries.WORDS, row["id"], sealed)
        return {**row, **await tx.connection.fetchrow(_KEEP, *place, sealed, tx.now)}


async def waiting(tx: Tx, principal: Principal, new: VisitCreate) -> UUID | None:
    """As `stored`, of a visit that waits until it is known whom it is about, or has waited: returns
    the question.
    """
    kept = await holding.kept_as(tx, principal, UnresolvedKind.visit, str(new.id))
    if kept is None:
        return None
    sent = orjson.loads(kept.sent)
    if understood_of(sent) != new.understood():
        return None
    more = _with_more(sent, _beside(new, new.recorded_at))
    if more != sent:
        await holding.keep_more(tx, kept, orjson.dumps(more))
    return kept.unresolved_id


def _heeding(findings: Sequence[Mapping[str, Any]], said: Any) -> dict[str, Any] | None:
    kind = hinted(said)
    known = {each["type"] for each in findings if each["abnormal"]}
    return None if kind is None or kind in known else heeded(kind)


def _beside(new: VisitCreate, recorded_at: datetime | None) -> dict[str, Any]:
    if recorded_at is None:
        return new.unread
    return {"recorded_at": new.model_dump(mode="json")["recorded_at"], **new.unread}


def _first(aside: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said for name, said in aside.items() if name != AGAIN}


def _with_more(before: Mapping[str, Any], unread: Mapping[str, Any]) -> dict[str, Any]:
    again = [*before.get(AGAIN, ())]
    more = {name: said for name, said in _first(unread).items() if before.get(name) != said}
    if not more or more in again or len(again) >= _MOST:
        return {**before}
    return {**before, AGAIN: [*again, more]}
