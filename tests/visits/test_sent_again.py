"""A retry by the same sender of the same visit is the same visit: what differs in fields nobody
knows is kept beside it (VIS-01).
"""

from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from app.visits.operations.storing import digests
from app.visits.schemas.recording import VisitCreate
from tests.access.factories import a_caller
from tests.jobs import told
from tests.visits.factories import a_visit, something_wrong

HARM = something_wrong(type="domestic_violence")
OTHER = something_wrong(type="dropout")


async def _record(client, caller, body):
    return await client.post("/v1/visits", json=body, headers=caller.headers)


MORE = [
    ({}, {"app": "3.3"}, {"app": "3.3"}),
    ({"app": "3.2"}, {"app": "3.3"}, {"app": "3.3"}),
    ({"place": "市场"}, {"place": "市场", "sent_at": 2, "gps": [1]}, {"sent_at": 2, "gps": [1]}),
    ({"findings": [HARM]}, {"findings": [{**HARM, "x": 1}]}, {"findings": [{**HARM, "x": 1}]}),
    ({}, {"app": "a\u0000"}, {"app": "a\ufffd", "characters": {"app": "U+0000"}}),
]


@pytest.mark.parametrize(("first", "then", "more"), MORE)
async def test_more_in_fields_nobody_knows_is_kept_beside_it(
    client, director, child, first, then, more
) -> None:
    body = a_visit(child.id, findings=[HARM]) | first
    sent = await _record(client, director, body)
    for _ in range(2):
        again = await _record(client, director, body | then)
        assert again.status_code == 200, again.text
        as_sent = {**(sent.json()["as_sent"] or {}), "sent_again": [more]}
        assert again.json() == {
            **sent.json(),
            **{name: again.json()[name] for name in ("version", "updated_at", "doubts")},
            "as_sent": as_sent,
        }
        assert (again.json()["version"], again.headers["etag"]) == (2, '"2"')
    assert (await _record(client, director, body)).json() == again.json()
    read = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
    assert read.json() == again.json()


async def test_more_that_speaks_of_harm_is_looked_at_by_somebody(
    client, database, director, child
) -> None:
    """A visit's retry that speaks of harm only in an unknown field is abnormal, as one that came so
    at first is: once, and it keeps what was found before (VIS-03).
    """
    body = a_visit(child.id, findings=[OTHER])
    await _record(client, director, body)
    for said in ("母亲：孩子被打", "母亲：孩子被打", "安好"):
        again = await _record(client, director, body | {"remarks": said})
        assert again.status_code == 200, again.text
    types = [each["type"] for each in again.json()["findings"]]
    assert types == ["domestic_violence", "dropout"]
    assert {each["remarks"] for each in again.json()["as_sent"]["sent_again"]} == {
        "母亲：孩子被打",
        "安好",
    }
    said = await told(database, "visits.abnormal_finding")
    assert [row["data"]["types"] for row in said] == [["dropout"], ["domestic_violence", "dropout"]]


DRESS = [
    ({"visited_on": "2026/11/18"}, [{"visited_on": "2026/11/18"}]),
    ({"findings": [{**OTHER, "refer_to": ["police", "education"]}, HARM]}, []),
    ({"policies_explained": ["safety", "child_welfare"]}, []),
    ({"recorded_at": "2026-11-18T12:00:00Z"}, [{"recorded_at": "2026-11-18T12:00:00Z"}]),
]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(("then", "more"), DRESS, ids=lambda each: str(each)[:40])
async def test_in_another_dress_it_is_the_same(
    client, database, director, child, then, more, waits
) -> None:
    """Compared is what was understood; the clock of a device that stored it again says nothing."""
    body = a_visit(uuid4() if waits else child.id, visited_on="2026-11-18") | {
        "findings": [HARM, {**OTHER, "refer_to": ["education", "police"]}],
        "policies_explained": ["child_welfare", "safety"],
        "recorded_at": "2026-11-18T11:00:00Z",
    }
    first = await _record(client, director, body)
    for _ in range(2):
        again = await _record(client, director, body | then)
        assert again.status_code == (202 if waits else 200), again.text
        if not waits:
            told = again.json()["as_sent"] or {}
            assert told.get("sent_again", []) == more
    assert (await _record(client, director, body)).is_success
    async with database.begin(SYSTEM) as tx:
        table = "unresolved_evidence" if waits else "visits"
        assert await tx.connection.fetchval(f"SELECT count(*) FROM {table}") == 1
    assert first.status_code == (202 if waits else 201)


def test_a_field_that_came_later_is_no_part_of_what_was_sent_before() -> None:
    """Else each visit that is stored differs from itself when a phone sends it again."""
    compared = VisitCreate.model_validate(a_visit(uuid4())).understood().keys()
    first = {"id", "child_id", "visited_on", "started_at", "visitor_type", "place", "channel"}
    first |= {"guardian_present", "findings", "policies_explained", "note", "characters"}
    more = compared - first
    assert not more, f"leave it out of `understood_of` while it is not said: {more}"
    assert compared == first


async def test_what_the_release_before_stored_is_known_again(
    client, database, director, child
) -> None:
    """It kept a digest of what was sent."""
    body = a_visit(child.id, findings=[HARM]) | {"app": "3.2", "visited_on": "2026/11/18"}
    assert (await _record(client, director, body)).status_code == 201
    async with database.begin(SYSTEM) as tx:
        mac = digests(tx, VisitCreate.model_validate(body))[1]
        await tx.connection.execute("UPDATE visits SET content_mac = $1", mac)
    for beside in ("3.2", "3.3"):
        again = await _record(client, director, body | {"app": beside})
        assert (again.status_code, again.json()["id"]) == (200, body["id"])
    assert (await _record(client, director, body | {"note": "x"})).status_code == 409


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({}, {"note": "青肿", "app": 1}),
        ({"visited_on": "昨天"}, {"visited_on": "前天"}),
        ({"findings": [HARM]}, {"findings": [{**HARM, "type": "性侵害"}]}),
        ({"note": "伤\u0000"}, {"note": "伤\ufffd"}),
    ],
)
async def test_other_content_is_another(client, director, child, first, then) -> None:
    body = a_visit(child.id) | first
    assert (await _record(client, director, body)).status_code == 201
    assert (await _record(client, director, body | then)).status_code == 409


async def test_of_one_that_waits_it_is_kept_and_stored_with_it(
    client, database, settings, director, child
) -> None:
    township = await a_caller(database, settings, "township_supervisor", 120119101000)
    body = a_visit(uuid4(), findings=[HARM])
    held = await _record(client, director, body)
    url = f"/v1/unresolved/{held.json()['unresolved_id']}"
    before = await client.get(url, headers=township.headers)
    for _ in range(2):
        again = await _record(client, director, body | {"app": "3.3"})
        assert (again.status_code, again.json()) == (202, held.json())
    asked = await client.get(url, headers=township.headers)
    [piece] = asked.json()["evidence"]
    assert piece["sent"]["sent_again"] == [{"app": "3.3"}]
    said = {"child_id": str(child.id), "words": "已核实"}
    stale = {**township.headers, "if-match": before.headers["etag"]}
    attached = await client.post(f"{url}/attachment", json=said, headers=stale)
    assert attached.status_code == 412, "it was not read"
    fresh = {**township.headers, "if-match": asked.headers["etag"]}
    attached = await client.post(f"{url}/attachment", json=said, headers=fresh)
    assert attached.status_code == 200, attached.text
    for retry in (body, body | {"app": "3.3"}):
        stored = await _record(client, director, retry)
        assert (stored.status_code, stored.json()["child_id"]) == (200, str(child.id))
        assert stored.json()["as_sent"] == {"sent_again": [{"app": "3.3"}]}
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM visits") == 1
