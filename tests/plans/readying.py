"""What the state of the register would refuse to everybody, made so that it is judged to its end.

In a transaction that is taken back, in the reach of the system: what is asked for is the caller's
own, or another's, or stands as it must for this once.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from app.core.data.db import SYSTEM, Database, Tx
from app.rights.models import ANSWER
from tests.access.factories import Caller, an_agency
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, always

_HALF_AN_HOUR: Final = timedelta(minutes=30)
_OWN_GLASS: Final = """
UPDATE break_glass SET staff_id = $2, agency_id = $3, role = $4, ended_at = NULL,
    opened_at = statement_timestamp(), ends_at = statement_timestamp() + $5::interval
WHERE id = $1
"""
_OTHERS_GLASS: Final = """
UPDATE break_glass SET ends_at = statement_timestamp(), agency_id = (
    SELECT id FROM agencies WHERE id <> $2 AND kind = 'hospital' ORDER BY id LIMIT 1)
WHERE id = $1
"""
_STANDING: Final = "UPDATE consents SET withdrawn_on = NULL, withdrawn_at = NULL WHERE id = $1"
_RESTRICTED: Final = """
UPDATE rights_requests r SET state = 'answered', answered_at = $2, outcome = 'refused',
    reason = 'kept_by_law', answered_by = $4,
    answer_sealed = $3, restricted_at = $2,
    restricted_from = c.region_code, restriction_ended_at = NULL
FROM children c WHERE r.id = $1 AND c.id = r.child_id AND c.home_county = r.home_county
"""

Ready = Callable[[Tx, Caller, Target], Awaitable[object]]


async def _own_glass(tx: Tx, caller: Caller, target: Target) -> None:
    who = (caller.subject_id, caller.agency_id, caller.claims["role"])
    glass = target.ids["glass_id"]
    await tx.connection.execute(_OWN_GLASS, glass, *who, _HALF_AN_HOUR)


async def _others_glass(tx: Tx, caller: Caller, target: Target) -> None:
    await tx.connection.execute(_OTHERS_GLASS, target.ids["glass_id"], caller.agency_id)


async def _standing(tx: Tx, caller: Caller, target: Target) -> None:
    await tx.connection.execute(_STANDING, target.ids["consent_id"])


async def _restricted(tx: Tx, caller: Caller, target: Target) -> None:
    asked = target.ids["request_id"]
    words = tx.keyring.seal(ANSWER, asked, "合成记录,仅用于测试。")
    await tx.connection.execute(_RESTRICTED, asked, tx.now, words, caller.claims["subject"])


_READY: Final[Mapping[str, Ready]] = {
    "endBreakGlass": _own_glass,
    "readBreakGlassFile": _own_glass,
    "reviewBreakGlass": _others_glass,
    "withdrawConsent": _standing,
    "liftRestriction": _restricted,
}
_OFFICES: Final = ("closeAgency", "mergeAgency")
_KIND: Final = "village_committee"


async def readied(
    database: Database, caller: Caller, operation: str, asked: Ask, target: Target
) -> tuple[Ask, Target] | None:
    """Make ready what an operation asks for; return what to ask, of what. None: nothing is made."""
    if operation in _OFFICES:
        offices = [await an_agency(database, _KIND, target.region) for _ in range(2)]
        target = replace(target, ids={**target.ids, "agency_id": offices[0]})
        if operation == "mergeAgency":
            asked = replace(asked, body=always({"successor_id": str(offices[1])}))
        return asked, target
    if operation not in _READY:
        return None
    async with database.begin(SYSTEM) as tx:
        await _READY[operation](tx, caller, target)
    return asked, target
