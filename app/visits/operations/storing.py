"""How what a visit says is stored, compared and announced, by whatever way it came."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.children import rows
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.data.envelopes import Owner, of_child
from app.core.jobs import events
from app.unresolved.operations import holding
from app.visits import queries, rules, schemas
from app.visits.events import AbnormalFinding, VisitCorrected, VisitRecorded
from app.visits.schemas.recording import AGAIN, VisitCreate, day_of

CONTENT: Final = {*schemas.VisitContent.model_fields}


def columns_of(
    tx: Tx, new: VisitCreate, sender: Principal, received_at: datetime, of: Owner
) -> dict[str, Any]:
    """Return the columns of a visit. `of`: the child's key, which is open (`rows.keyed`)."""
    day = new.visited_on or local_date(received_at)
    said = {**new.model_dump(), "visited_on": day, "as_sent": new.unread or None}
    return {
        "id": new.id,
        "called": new.child_id,
        "visitor": sender.staff_id,
        "content_mac": digest(tx, new),
        "recorded_at": new.recorded_at,
        **_stored(tx, new.id, said, of),
    }


def digest(tx: Tx, new: VisitCreate) -> bytes:
    """Digest what was understood, to know it again."""
    return understood_as(tx, new)[0]


def understood_as(tx: Tx, new: VisitCreate) -> list[bytes]:
    """Digest what was understood under each index key, that of now first."""
    understood = orjson.dumps(new.understood(), option=orjson.OPT_SORT_KEYS)
    return tx.keyring.blind_indexes("visit understood", understood.decode())


def digests(tx: Tx, new: VisitCreate) -> list[bytes]:
    """Digest what was understood, and what was sent first: so the release before knew it again."""
    first = {name: said for name, said in new.unread.items() if name != AGAIN}
    sent = new.model_copy().setting_aside(first).said()
    return [*understood_as(tx, new), *tx.keyring.blind_indexes("visit", sent.decode())]


def as_piece(new: VisitCreate, received_at: datetime) -> holding.Piece:
    """Return a visit as it waits until it is known whom it is about."""
    abnormal = any(finding.abnormal for finding in new.findings)
    claim = {"child_id": new.child_id}
    day = new.visited_on or local_date(received_at)
    return holding.Piece(str(new.id), claim, new.said(), day, abnormal=abnormal)


NAMED: Final = "day_named"
"""Where the words keep that a correction named the day, be it that on which the visit came."""


async def change(
    tx: Tx, principal: Principal, row: Mapping[str, Any], changes: Mapping[str, Any], **columns: Any
) -> tuple[Mapping[str, Any], schemas.Visit]:
    """Change a locked visit, keep what it said before and announce it. Returns the row, and it as
    the caller is shown it. `columns`: what is changed beside what it says.
    """
    before = queries.visit_of(tx, principal, row)
    named = "visited_on" in changes or queries.words_of(tx, row).get(NAMED)
    merged = {**before.model_dump(), NAMED: named, **changes}
    of = of_child(row["child_id"])
    values = {**_stored(tx, row["id"], merged, of), **columns}
    if not columns and row["withdrawal_confirmed_by"] is None:
        values |= dict.fromkeys(("withdrawal_by", "withdrawal_at", "withdrawal_sealed"))
    said = before.model_dump_json(include=CONTENT)
    changed = await rows.correct(tx, principal, "visits", row, said, values)
    now = {**changed, "birth_date": row["birth_date"]}
    visit = queries.visit_of(tx, principal, now)
    news = rules.adds(queries.found(tx, row), [each.model_dump() for each in visit.findings])
    await announce(tx, VisitCorrected, visit, row, news=news, day_named=bool(named))
    return now, visit


_PLAIN: Final = (
    *("visited_on", "started_at", "visitor_type", "place", "channel", "guardian_present"),
    "policies_explained",
)


def _stored(tx: Tx, visit_id: UUID, said: Mapping[str, Any], of: Owner) -> dict[str, Any]:
    """Return the columns of what a visit says, its words and what was found sealed."""
    codes = [{**finding} for finding in said["findings"]]
    words = {"note": said["note"], "findings": [finding.pop("note") for finding in codes]}
    words |= {"codes": codes}
    if said["as_sent"]:
        words |= {"as_sent": said["as_sent"], NAMED: bool(said.get(NAMED))}
    sealed = None
    if has_words(said, said["as_sent"]):
        sealed = tx.keyring.seal(queries.WORDS, visit_id, orjson.dumps(words), of)
    return {
        **{name: said[name] for name in _PLAIN},
        "abnormal": any(finding["abnormal"] for finding in codes),
        "findings": orjson.dumps(codes).decode(),
        "words_sealed": sealed,
    }


def has_words(said: Mapping[str, Any], beside: Any) -> bool:
    """Tell whether there is something to seal in what a visit says, with what is `beside` it."""
    return bool(said["note"] is not None or said["findings"] or beside)


async def announce(
    tx: Tx,
    kind: type[VisitRecorded | VisitCorrected],
    visit: schemas.Visit,
    row: Mapping[str, Any],
    *,
    news: bool,
    day_named: bool = False,
) -> None:
    """Announce a visit; `news`: it finds something abnormal that it did not before; `day_named`:
    somebody has said since on which day it was.
    """
    about = {**rows.announced(row), "visited_on": visit.visited_on}
    announced: list[events.Event] = [
        kind(
            **about,
            day_known=day_known(
                {"as_sent": visit.as_sent, NAMED: day_named},
                {"visited_on": visit.visited_on, "received_at": row["received_at"]},
            ),
            visitor_type=visit.visitor_type,
            as_role=row["as_role"],
            channel=visit.channel,
            place=visit.place,
            abnormal=visit.abnormal,
            looked_at=bool(visit.findings),
            explained=bool(visit.policies_explained),
        )
    ]
    if news:
        abnormal = [finding for finding in visit.findings if finding.abnormal]
        announced.append(
            AbnormalFinding(
                **about,
                types=sorted({str(finding.type) for finding in abnormal}),
                refer_to=sorted({str(to) for finding in abnormal for to in finding.refer_to}),
            )
        )
    await events.publish(tx, *announced)


def day_known(words: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Tell whether a visit's day was said when it came, in a way that could be read, or since."""
    sent = words.get("as_sent") or {}
    unread = "visited_on" in sent and day_of(sent["visited_on"]) is None
    came_on = local_date(row["received_at"])
    return bool(words.get(NAMED)) or not unread or row["visited_on"] != came_on
