"""Files opened in an emergency, for tests."""

from collections import Counter
from datetime import timedelta

from app.break_glass.jobs import shut
from app.core.data.db import SYSTEM
from tests.police_reports.factories import COUNTY, a_report

REASON = "儿童昏迷送至急诊,需立即核实监护人与既往病史,无法等待答复。"
WORDS = "合成记录:经核实,急诊病历与所述一致。"


def urgent(caller):
    return {**caller.headers, "purpose-of-use": "protection"}


async def broken(client, caller, child, **changes):
    body = {"child_id": str(child), "reason": REASON, "minutes": 30, **changes}
    return await client.post("/v1/break-glass", json=body, headers=urgent(caller))


async def opened(client, caller, child, **changes):
    answer = await broken(client, caller, child, **changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def file(client, caller, glass):
    return await client.get(f"/v1/break-glass/{glass['id']}/file", headers=urgent(caller))


async def seen(client, caller, **query):
    answer = await client.get("/v1/break-glass", params=query, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def review(client, caller, glass, verdict="proper", version=1):
    headers = {**caller.headers, "if-match": f'"{version}"'}
    body = {"verdict": verdict, "words": WORDS}
    url = f"/v1/break-glass/{glass['id']}/review"
    return await client.post(url, json=body, headers=headers)


async def over(database, glass, minutes=1) -> None:
    """Let what was opened have ended so many minutes ago, by the clock of the database."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE break_glass SET opened_at = opened_at - interval '1 hour',"
            " ends_at = statement_timestamp() - $2::interval WHERE id = $1::uuid",
            glass["id"],
            timedelta(minutes=minutes),
        )


async def recorded(database) -> Counter:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT operation, decision, rule FROM audit_entries"
            " WHERE operation ILIKE '%breakGlass%'"
        )
    return Counter((row["operation"], row["decision"], row["rule"]) for row in rows)


def problem(answer):
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def shut_by_time(database, glass) -> None:
    async with database.begin(SYSTEM) as tx:
        await shut(tx, {"id": glass["id"], "home_county": COUNTY})


async def times_told(database, wire_name) -> int:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval(
            "SELECT count(*) FROM events WHERE wire_name = $1", wire_name
        )


async def accused(client, caller, child, suspect) -> None:
    body = a_report(child_id=child, suspect_agency_id=str(suspect))
    del body["subject"]
    filed = await client.post("/v1/police-reports", json=body, headers=urgent(caller))
    assert filed.is_success, filed.text
