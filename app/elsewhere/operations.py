"""A desk asks whether a child from elsewhere is known."""

from typing import Final
from uuid import UUID

import asyncpg

from app.access import budgets
from app.access.budgets import Kind
from app.access.deps import PurposeNotAllowed
from app.access.principal import Principal
from app.agencies.models import AgencyKind
from app.agencies.queries import lineage_in_sql
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.core.ids import new_id
from app.core.jobs import events, queue
from app.core.problems import Problem
from app.elsewhere import queries, schemas
from app.elsewhere.events import LookedElsewhere
from app.elsewhere.models import Sought
from app.police_reports.about_child import Kept, kept_from
from app.policy import queries as policy
from app.regions.rules import NATION

_desks: Final = policy.lookup("elsewhere.desks")
_purposes: Final = policy.lookup("elsewhere.purposes")
TELL: Final = "elsewhere.tell"


class DeskOff(Problem, status=403, denies=True):
    """No desk of this kind asks: a child must be able to seek it in confidence, or the place did
    not let it.
    """

    title = "Desks of this kind do not ask whether a child is known"
    title_zh = "此类窗口不得查询儿童是否已建档"


# A row for each child, one without for none: the same statement, whoever was found.
_KEEP: Final = """
INSERT INTO looks_elsewhere (id, look_id, looked_at, looked_by, agency_id, agency_kind, role,
    looked_from, purpose, service, why, sought_by, child_id, home_county, region_code,
    hidden_from, hidden_below, police_below, filed_by_id)
SELECT f.id, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, f.child_id, f.county, f.place,
    $16, $17, $18, $19
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) AS f (id, child_id, county, place)
"""


# By its own id, too, by which the record tells of it. Of one that is kept from nobody, nothing.
_KNOWN: Final = """
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below, police_below, filed_by_id)
SELECT of.id, l.hidden_from, l.hidden_below, l.police_below, l.filed_by_id
FROM looks_elsewhere l CROSS JOIN LATERAL (VALUES (l.id), (l.look_id)) AS of (id)
WHERE l.look_id = $1 AND l.hidden_from IS NOT NULL
ON CONFLICT (subject_id) DO NOTHING
"""


async def look_elsewhere(
    tx: Tx, principal: Principal, sought: schemas.LookElsewhereCreate
) -> tuple[schemas.LookAnswer, list[UUID]]:
    """Answer whether a child is known, and whom to call; also returns whom it was told of, for the
    record. As many statements whoever is found, and whether anybody is; whom a report about the
    child speaks against is told of nobody, and nobody of one whose file may only be stored: that is
    kept with the look, for what an emergency opens. Raises DeskOff, PurposeNotAllowed, BudgetSpent.
    """
    place = principal.region_code
    if sought.service not in _desks(place, tx.today).get(principal.agency_kind, ()):
        raise DeskOff
    if principal.purpose not in (allowed := _purposes(place, tx.today)):
        raise PurposeNotAllowed(f"Allowed: {', '.join(sorted(allowed))}.")
    await budgets.take(tx, principal, Kind.looks, 1)
    async with tx.as_system():
        found = await queries.anywhere(tx, sought)
        kept = await kept_from(tx, [(row["home_county"], row["id"]) for row in found])
        if kept.keeps_from(principal):
            found, kept = [], Kept()
        told = [row for row in found if row["region_code"] != NATION]
        found = told or (found if len(found) == 1 else [])
        call = await _call(tx, [row["region_code"] for row in told] or [place], kept)
        look_id = new_id()
        ids = [new_id() for _ in found] or [new_id()]
        await tx.connection.execute(
            _KEEP,
            ids,
            [row["id"] for row in found] or [None],
            [row["home_county"] for row in found] or [place],
            [row["region_code"] for row in found] or [place],
            *(look_id, tx.now, principal.subject, principal.agency_id, principal.agency_kind),
            *(principal.role.code, place, principal.purpose, sought.service, sought.why),
            Sought.number if sought.resident_id else Sought.name,
            *((sorted(kept.agencies), kept.below, kept.police_below) if kept else (None,) * 3),
            principal.agency_id,
        )
        await tx.connection.execute(_KNOWN, look_id)
    await queue.enqueue(tx.connection, TELL, [{"look": str(look_id)}])
    answer = schemas.LookAnswer(
        id=look_id, known=bool(told), call=call, otherwise="report_suspected_harm"
    )
    return answer, [row["id"] for row in told]


async def _call(tx: Tx, places: list[int], kept: Kept) -> list[schemas.OfficeToCall]:
    """Return, of each place, the nearest office that no report about the child speaks against."""
    rows = [
        row
        for row in await queries.offices(tx, places)
        if not kept.keeps_from_office(row["id"], row["kind"], row["region_code"])
    ]
    nearest: dict[UUID, asyncpg.Record] = {}
    for place in places:
        serving = [row for row in rows if queries.serves(row["region_code"], place)]
        if serving:
            nearest.setdefault(serving[0]["id"], serving[0])
    return [
        schemas.OfficeToCall(
            agency_id=row["id"],
            name=row["name"],
            region_code=region_text(row["region_code"]),
            public_contact=row["public_contact"],
        )
        for row in nearest.values()
    ]


_LOOK: Final = f"""
SELECT * FROM looks_elsewhere
WHERE look_id = $1 AND child_id IS NOT NULL AND region_code <> {NATION}
"""
_LOOK_AFTER: Final = (
    AgencyKind.village_committee,
    AgencyKind.township_government,
    AgencyKind.civil_affairs,
)
_SERVING: Final = f"""
SELECT id, kind, region_code FROM agencies
WHERE active AND kind = ANY ($2::text[]) AND region_code IN ({lineage_in_sql("$1::bigint")})
"""


async def tell(tx: Tx, look_id: UUID) -> None:
    """Tell who looks after each child that a look found, and nobody whom a report about the child
    speaks against. In SYSTEM's reach.
    """
    rows = await tx.connection.fetch(_LOOK, look_id)
    if any(row["hidden_from"] is not None for row in rows):
        await hiding.note(tx.connection, [row["id"] for row in rows])
    for row in rows:
        kept = Kept(
            frozenset(row["hidden_from"] or ()), row["hidden_below"] or 0, row["police_below"] or 0
        )
        await events.publish(tx, await _looked(tx, row, kept))


async def _looked(tx: Tx, row: asyncpg.Record, kept: Kept) -> LookedElsewhere:
    told = None
    if kept:
        offices = await tx.connection.fetch(_SERVING, row["region_code"], [*_LOOK_AFTER])
        told = tuple(o["id"] for o in offices if not kept.keeps_from_office(*o))
    return LookedElsewhere(
        subject_id=row["id"],
        **{name: row[name] for name in ("region_code", "home_county", "child_id")},
        **{name: row[name] for name in ("looked_from", "service", "why", "purpose")},
        by_agency_id=row["agency_id"],
        by_kind=row["agency_kind"],
        told_to=told,
    )
