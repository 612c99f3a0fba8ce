"""What is personal goes in at every door and comes out of no sink: logs, the record, addresses,
jobs, events, deliveries, the spool, the figures.
"""

import json
from typing import Any
from uuid import uuid4

import pytest

from app.core import logs
from app.core.data import keys
from app.core.data.db import SYSTEM
from app.webhooks.models import body_of
from tests.access.factories import a_caller
from tests.api.world import a_world
from tests.children.factories import a_file
from tests.jobs import hand_out, run_jobs
from tests.police_reports.factories import a_report
from tests.printed import readable
from tests.visits.factories import a_visit
from tests.webhooks.workshop import an_endpoint

VILLAGE, COUNTY = 120119101200, 120119000000
NAME, PARENT, NUMBER, PHONE = "样金雀", "样知更", "120000201603019025", "13900001234"
STREET, STORY, REPORTER = "金雀胡同七号", "他说夜里不敢回家金雀", "样报信"
CANARIES = (NAME, PARENT, NUMBER, PHONE, STREET, STORY, REPORTER)
SINKS = (
    *("audit_entries", "audit_children", "jobs", "events", "event_named", "subject_sequences"),
    *("webhook_deliveries", "webhook_attempts", "spooled_reports", "duties", "hidden_subjects"),
    *("duplicate_referrals", "unresolved", "sign_ins", "used_assertions"),
)


def forms_of(canary: str) -> set[str]:
    """As it stands, as JSON may escape it, and as an address does."""
    quoted = "".join(f"%{byte:02X}" for byte in canary.encode())
    return {canary, json.dumps(canary)[1:-1], quoted, quoted.lower(), canary.encode().hex()}


def found_in(text: str) -> set[str]:
    return {each for each in CANARIES if any(form in text for form in forms_of(each))}


def a_child_of_canaries() -> dict[str, Any]:
    body = a_file(VILLAGE)
    body["identity"] |= {"name": NAME, "resident_id": NUMBER, "birth_date": "2016-03-01"}
    body["residence"]["address"] = STREET
    body["family"]["parents"] = [
        {"relation": "parent", "role": "father", "name": PARENT, "phone": PHONE}
    ]
    body["health"] = {"notes": STORY}
    return body


@pytest.fixture
async def put_in(client, database, settings, capsysbinary) -> list[Any]:
    """Put them in at every door, with what is right and what is refused; return the answers."""
    logs.configure()
    world = await a_world(client, database, settings)
    director = world.writes["createChild"].caller
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    police = await a_caller(database, settings, "police", COUNTY)
    for caller in (county, police):
        kinds = ("children.*", "visits.*", "duties.*", "police_reports.*")
        await an_endpoint(database, caller.agency_id, "https://x.example/", event_types=kinds)
    answers = []

    async def say(method: str, path: str, body: Any = None, caller=director, **headers: str) -> Any:
        said = {**caller.headers, "user-agent": PHONE, "referer": f"https://x/{NUMBER}"}
        said |= {"x-request-id": NUMBER, "x-forwarded-for": f"{NUMBER}, 203.0.113.9"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await client.request(method, path, json=body, headers=said)
        answers.append(answer)
        return answer

    opened = await say("POST", "/v1/children", a_child_of_canaries())
    assert opened.status_code == 201, opened.text
    child = opened.json()["id"]
    path = f"/v1/children/{child}"
    await say("PATCH", path, {"health": {"notes": STORY + "又"}}, if_match='"1"')
    await say("PATCH", path, {NAME: {PHONE: STORY}}, if_match='"2"')
    await say("POST", "/v1/children", {**a_child_of_canaries(), NAME: PHONE})
    for wanted in ({"name": NAME}, {"resident_id": NUMBER}, {"name": PARENT, "match": "prefix"}):
        await say("POST", "/v1/children/search", wanted)
        await say("POST", "/v1/children/search", {**wanted, PHONE: 1})
    for query in (f"?name={NAME}", f"?category={NUMBER}", f"?cursor={NUMBER}", f"?{PHONE}=1"):
        await say("GET", f"/v1/children{query}")
    await say("GET", f"/v1/children/{NUMBER}")
    await say("GET", f"/{NAME}/{PHONE}")
    await say("GET", "/v1/children", purpose_of_use=NUMBER)
    await say("GET", "/v1/children", authorization=f"Bearer {NUMBER}")
    visit = a_visit(child, note=STORY, abnormal=[{"type": "health", "description": STORY}])
    await say("POST", "/v1/visits", visit)
    await say("POST", "/v1/visits", a_visit(uuid4(), note=STORY))
    told = a_report(narrative=STORY, child={"name": NAME, "resident_id": NUMBER})
    told |= {"reporter": {"name": REPORTER, "phone": PHONE}, NAME: PHONE}
    filed = await say("POST", "/v1/police-reports", told)
    assert filed.status_code == 201, filed.text
    await say("POST", "/v1/police-reports", b"{".decode(), idempotency_key=PHONE)
    await client.post("/oauth/token", data={"grant_type": NAME, "client_id": PHONE})
    await client.post("/oauth/token", data={"username": NAME, "client_secret": NUMBER})
    await client.get("/oauth/authorize", params={"state": NAME, "client_id": PHONE})
    await say("POST", "/v1/clients", {"name": "系统", "role": PHONE, NAME: 1}, county)
    await run_jobs(database)
    await hand_out(database)
    await run_jobs(database)
    return answers


async def test_nothing_personal_comes_out_of_any_sink(
    client, database, put_in, capsysbinary
) -> None:
    said = capsysbinary.readouterr()
    assert b'"event":"request"' in said.err
    assert found_in(said.err.decode() + said.out.decode()) == set(), "the log"
    async with database.begin(SYSTEM) as tx:
        for table in SINKS:
            rows = await tx.connection.fetch(f"SELECT t::text AS row FROM {table} t")
            assert found_in(readable("\n".join(row["row"] for row in rows))) == set(), table
        found = await tx.connection.fetch("SELECT event_id, body FROM webhook_deliveries")
        await keys.of_rows(tx, found)
        bodies = [body_of(tx.keyring, row).decode() for row in found]
        counted = await tx.connection.fetchval(
            "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM audit_entries)"
        )
    assert found_in("\n".join(bodies)) == set(), "a delivery"
    assert (len(bodies) > 3, counted > 20) == (True, True), (len(bodies), counted)
    assert found_in((await client.get("/metrics")).text) == set(), "the figures"


async def test_no_address_or_refusal_repeats_what_was_said(put_in) -> None:
    for answer in put_in:
        assert found_in(str(dict(answer.headers))) == set(), answer.request.url.path
        if answer.status_code >= 400:
            assert found_in(answer.text) == set(), answer.text
    came = {(answer.request.method, answer.status_code) for answer in put_in}
    wanted = [("POST", status) for status in (200, 201, 202, 422)]
    wanted += [("GET", status) for status in (400, 401, 404)] + [("PATCH", 200), ("PATCH", 422)]
    assert {*wanted} <= came, came


def test_a_canary_is_found_however_it_is_written() -> None:
    for canary in CANARIES:
        for form in forms_of(canary):
            assert found_in(f"…{form}…") == {canary}
