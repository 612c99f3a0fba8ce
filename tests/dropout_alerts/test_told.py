"""The register tells the file: a registered dropout is out of school there too (EDU-02, DEF-18)."""

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.regions.rules import lineage
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.dropout_alerts.factories import an_attempt, everyone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

_RETURNED = "wire_name = 'dropout_alerts.child_returned'"


async def test_a_registered_dropout_is_out_of_school_until_it_is_back(
    client, database, settings, director
) -> None:
    around = await everyone(client, database, settings)
    await some_regions(database, *lineage(VILLAGE)[:-1])
    education = {
        "school_id": str(around.school.id),
        "stage": "primary",
        "status": "enrolled",
        "since": "2026-09-01",
    }
    body = a_file(VILLAGE, education=education)
    opened = await client.post("/v1/children", json=body, headers=director.headers)
    assert opened.status_code == 201, opened.text
    child = opened.json()
    path = f"/v1/children/{child['id']}"

    async def derived(caller=director):
        return (await client.get(path, headers=caller.headers)).json()["derived"]

    await around.absent(child["id"], *(f"2026-11-{day}" for day in (13, 16, 17, 18, 19)))
    alert = await around.alert(child["id"])
    assert (alert["state"], (await derived())["priority_flags"]) == ("absent", [])

    await around.absent(child["id"], "2026-11-20")
    alert = await around.alert(child["id"])
    assert alert["state"] == "registered"
    said = await derived()
    assert said["priority_flags"] == ["out_of_school"]
    assert said["told"] == [
        {
            "kind": "out_of_school",
            "since": "2026-11-13",
            "until": None,
            "source_id": alert["id"],
            "stated_by": str(around.school.id),
        }
    ]
    assert (await derived(around.teacher))["told"] == said["told"], "a school reads education"
    why = (await client.get(f"{path}/reasons", headers=director.headers)).json()["reasons"]
    (reason,) = [each for each in why if each["result"] == "out_of_school"]
    assert (reason["holds"], reason["facts"]) == (True, ["education.told"])
    owed = await client.get(
        "/v1/duties", params={"rule": "VIS-01", "priority": True}, headers=director.headers
    )
    assert [duty["child_id"] for duty in owed.json()["items"]] == [child["id"]], "VIS-02"

    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    back = {"returned_on": "2026-11-20", "kind": "same_school"}
    answer = await around.step(around.teacher, failed.json(), "return", back)
    assert answer.status_code == 200, answer.text
    await run_jobs(database)
    said = await derived()
    assert (said["priority_flags"], said["told"][0]["until"]) == ([], "2026-11-20")

    for never in ("end_reason = 'excused'", "end_reason = 'returned', registered_on = NULL"):
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(f"UPDATE dropout_alerts SET {never}")
            event = await tx.connection.fetchval(f"SELECT id FROM events WHERE {_RETURNED}")
            await queue.enqueue(tx.connection, "dropout_alerts.tell_file", [{"event": str(event)}])
        await run_jobs(database)
        assert (await derived())["told"] == [], never
