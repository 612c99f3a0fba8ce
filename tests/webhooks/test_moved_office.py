"""An office that serves another place hears of that one, and of the one before nothing more."""

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs.events import publish
from app.regions.rules import subtree
from tests.access.approving import send_by_two
from tests.access.factories import a_caller, an_agency
from tests.jobs import hand_out
from tests.regions.factories import some_regions
from tests.webhooks.workshop import HOME, TOWNSHIP, VILLAGE, an_endpoint, an_event

NEXT = TOWNSHIP + 1000


async def told(database, agency_id, place) -> int:
    async with database.begin(SYSTEM) as tx:
        event = an_event(region_code=place)
        await publish(tx, event)
    await hand_out(database)
    async with database.begin(SYSTEM) as tx:
        found: int = await tx.connection.fetchval(
            "SELECT count(*) FROM webhook_deliveries WHERE event_id = $1 AND agency_id = $2",
            event.event_id,
            agency_id,
        )
    return found


@pytest.mark.parametrize(
    ("before", "moves_to", "heard"),
    [
        (TOWNSHIP, NEXT, (0, 1)),
        (VILLAGE, NEXT, (0, 1)),
        (TOWNSHIP, None, (1, 0)),
    ],
)
@pytest.mark.parametrize("active", [True, False])
async def test_its_notices_are_of_the_place_it_serves(
    client, database, settings, before, moves_to, heard, active
) -> None:
    """Also those to an address that is switched off: they wait until it is on again."""
    await some_regions(database, VILLAGE, NEXT)
    one = await a_caller(database, settings, "civil_affairs", HOME, machine=False)
    two = await a_caller(
        database, settings, "civil_affairs", HOME, agency_id=one.agency_id, machine=False
    )
    office = await an_agency(database, "township_government", TOWNSHIP)
    endpoint, _ = await an_endpoint(
        database, office, "https://office.example.org/in", region=subtree(before)
    )
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE webhook_endpoints SET active = $2 WHERE id = $1", endpoint, active
        )
    assert await told(database, office, VILLAGE) == 1
    said = {"region_code": str(moves_to)} if moves_to else {"name": "改名的乡镇"}
    path = f"/v1/agencies/{office}/changes"
    body = {"based_on": 1, **said}
    done = await send_by_two(client, one, two, "changeAgency", "POST", path, body)
    assert done.status_code == 200, done.text
    assert (await told(database, office, VILLAGE), await told(database, office, NEXT)) == heard
