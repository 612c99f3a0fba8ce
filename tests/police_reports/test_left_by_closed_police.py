"""FAILING: what police had handled and not told when they closed is in nobody's hands (REP-14)."""

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.police_reports.factories import COUNTY, an_endpoint, filed, the_offices
from tests.police_reports.test_chain import ACCEPT, DISPOSE, URL, step


async def test_what_is_left_to_do_is_somebody_elses(client, database, settings) -> None:
    """The notice to the township, reasons to be judged, what came of the case: the county's police
    go on, and the township need not end it without them.
    """
    offices = await the_offices(database, settings)
    county = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, county.agency_id, COUNTY)
    report_id = await filed(client, offices.school)
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    done = await step(client, offices.police, report_id, "dispositions", DISPOSE)
    assert done.status_code == 201, done.text
    async with database.begin(SYSTEM) as tx:
        closed = "UPDATE agencies SET active = false WHERE id = $1"
        await tx.connection.execute(closed, offices.police.agency_id)
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
    read = await client.get(f"{URL}/{report_id}", headers=county.headers)
    assert read.status_code == 200, read.text
    assert read.json()["party"] == "police"
