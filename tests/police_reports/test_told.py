"""What the police found is in the file (DEF-13); what is kept from somebody is not (AZ-8)."""

from typing import Any

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import filed, the_offices
from tests.police_reports.test_chain import ACCEPT, AT, step
from tests.police_reports.test_dispositions import VIOLENCE

ABANDONED = {
    "kind": "guardian_failure",
    "at": AT,
    "measures": ["relatives_entrusted", "abandonment_punished"],
}

_DISPOSED = "wire_name = 'police_reports.report_disposed'"


@pytest.mark.parametrize(
    ("situation", "did", "secret"),
    [
        ("domestic_violence", VIOLENCE, False),
        ("domestic_violence", VIOLENCE, True),
        ("abandoned", ABANDONED, False),
    ],
)  # DEF-10, DEF-13: 遭受虐待、遗弃、意外伤害、不法侵害
async def test_harm_that_the_police_answered_is_a_fact_of_the_file(
    client, database, settings, situation, did, secret
) -> None:
    offices = await the_offices(database, settings)
    home = {
        "parents": [{"role": r, "statuses": [{"status": "at_home"}]} for r in ("father", "mother")]
    }
    body = a_file(VILLAGE, family=home, guardianship={"kind": "parent", "evaluation": "good"})
    opened = await client.post("/v1/children", json=body, headers=offices.village.headers)
    child = opened.json()
    assert child["derived"]["categories"] == []
    accused = {"suspect_agency_id": str(offices.village.agency_id)} if secret else {}
    report = await filed(
        client, offices.school, child_id=child["id"], situations=[situation], **accused
    )
    for path, said in (("acknowledgement", ACCEPT), ("dispositions", did)):
        answer = await step(client, offices.police, report, path, said)
        assert answer.status_code in {200, 201}, answer.text
    await run_jobs(database)
    path = f"/v1/children/{child['id']}"
    for caller in (offices.county, offices.village):
        derived = (await client.get(path, headers=caller.headers)).json()["derived"]
        assert derived["categories"] == ([] if secret else ["difficulty.guardianship"])
        assert [fact["kind"] for fact in derived["told"]] == ([] if secret else ["harmed"])

    async def told_when(change: str) -> list[dict[str, Any]]:
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(f"UPDATE police_reports SET {change}")
            event = await tx.connection.fetchval(f"SELECT id FROM events WHERE {_DISPOSED}")
            await queue.enqueue(tx.connection, "police_reports.tell_file", [{"event": str(event)}])
        await run_jobs(database)
        read = await client.get(path, headers=offices.county.headers)
        return read.json()["derived"]["told"]

    if not secret:
        [over] = await told_when("closed_at = handled_at")
        assert over["until"] == over["since"], "until the case is closed"
        assert await told_when("closed_at = NULL, police_below = 1") == []
        assert await told_when("police_below = 0, superseded_by_id = id") == []
        assert len(await told_when("superseded_by_id = NULL")) == 1
    wrong = {"withdrawn_at": AT, "basis": "认错了人,两个孩子同名。"}
    answer = await step(client, offices.police, report, "child/withdrawal", wrong)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    read = await client.get(path, headers=offices.county.headers)
    assert read.json()["derived"]["told"] == [], "it was another child"
