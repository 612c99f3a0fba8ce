"""Files that may be one child's: who is asked about them, after they were written. For jobs, which
look across remits, so that whoever wrote a file learns nothing of others (AZ-4).
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from app.access.events import Alarm, AlarmRaised
from app.agencies import queries as agencies
from app.children import duplicates, numbers, sealing
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.regions.rules import county_of

log = structlog.get_logger(__name__)

_ONE_CHILD_AT_A_TIME: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('alike/' || $1::text, 56))"
)
_OF_CHILD: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.sex, c.birth_date, {sealing.NAMED},
    EXISTS (SELECT FROM resident_ids r
            WHERE r.home_county = c.home_county AND r.child_id = c.id) AS numbered
FROM children c WHERE c.id = $1
"""
# Of the county both were opened in, or both live in: the one may have another code since.
_NAMESAKES: Final = f"""
SELECT c.id FROM children c
LEFT JOIN resident_ids r ON r.home_county = c.home_county AND r.child_id = c.id
WHERE {sealing.SAME_CHILD.format("$1", "$2", "$3")} AND c.sex = $4 AND c.id <> $5
  AND (c.home_county = $6 OR c.region_code / 1000000 = $7::bigint / 1000000)
  AND (NOT $8 OR r.index IS NULL)
ORDER BY c.id LIMIT 20
"""


async def refer_namesakes(tx: Tx, child_id: UUID) -> None:
    """Refer a newly filed child that another file of the county may already describe. For jobs: it
    looks across remits, so that whoever opened the file learns nothing (AZ-4).
    """
    child = await tx.connection.fetchrow(_OF_CHILD, child_id)
    name, _ = sealing.named(tx.keyring, child)
    same = sealing.same_child(tx.keyring, name, child["birth_date"])
    apart = [child[each] for each in ("sex", "id", "home_county", "region_code", "numbered")]
    for row in await tx.connection.fetch(_NAMESAKES, *same, *apart):
        values = {"child_id": child_id, "other_child_id": row["id"]}
        county = county_of(child["region_code"])
        await duplicates.store_referral(
            tx, new_id(), county, "name_and_birth_date", "system", values
        )


_SAME_NUMBER: Final = """
SELECT o.child_id, c.region_code FROM children c
JOIN resident_ids o ON o.index = ANY ($2::bytea[]) AND o.child_id <> c.id
WHERE c.id = $1 AND NOT EXISTS (
    SELECT FROM duplicate_referrals d WHERE d.reason = 'resident_id'
        AND ((d.child_id = c.id AND d.other_child_id = o.child_id)
          OR (d.child_id = o.child_id AND d.other_child_id = c.id)))
ORDER BY o.child_id LIMIT 20
"""
_BY_WHOM: Final = """
SELECT actor, agency_id FROM child_changes WHERE child_id = $1 ORDER BY version DESC LIMIT 1
"""
MANY: Final = 5
"""Numbers of other files that one caller says within a day, from which on somebody is told."""


async def refer_numbers(tx: Tx, child_id: UUID) -> None:
    """Refer a child whose file says a number that another's says. For jobs: it looks across remits,
    so that whoever said it learns nothing (AZ-4). Whoever says many that are others' is told of.
    """
    await tx.connection.execute(_ONE_CHILD_AT_A_TIME, str(child_id))
    indexes = await numbers.indexes_of(tx, child_id)
    found = await tx.connection.fetch(_SAME_NUMBER, child_id, indexes) if indexes else []
    if not found:
        return
    by = await tx.connection.fetchrow(_BY_WHOM, child_id)
    for other, region_code in found:
        values = {"child_id": child_id, "other_child_id": other, "agency_id": by["agency_id"]}
        await duplicates.store_referral(
            tx, new_id(), region_code, "resident_id", by["actor"], values
        )
    since = tx.now - timedelta(days=1)
    tried = await tx.connection.fetchval(numbers.TRIED, by["actor"], since)
    if tried >= MANY and by["agency_id"] is not None:
        place = found[0]["region_code"]
        office = await agencies.serving(tx, "civil_affairs", county_of(place))
        told = AlarmRaised(
            subject_id=by["agency_id"],
            region_code=place,
            home_county=county_of(place),
            alarm=Alarm.numbers_tried,
            counted=min(tried, 1_000_000),
            by_agency_id=by["agency_id"],
            mark="refuse" if tried >= numbers.MOST_TRIED else "alarm",
            known_to=(),
            told_to=() if office is None else (office,),
        )
        await announcements.publish(tx, told)
        log.warning("numbers_tried", by=by["actor"], times=tried)
