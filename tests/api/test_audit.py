"""Who saw what is itself limited to whom it concerns."""

from uuid import uuid4

from app.audit import operations as audit
from app.core.data.db import SYSTEM
from app.core.http.shown import Seen
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.break_glass.factories import broken
from tests.children.factories import a_child, a_file
from tests.police_reports.factories import a_report, the_offices
from tests.regions.factories import some_regions

JIZHOU, VILLAGE, WUQING = 120119000000, 120119101200, 120114000000


async def _denied_call(client, database, settings, region):
    caller = await a_caller(database, settings, "police", region, scopes=frozenset())
    await client.get("/v1/me", headers=caller.headers)
    return caller


async def test_a_refusal_names_what_was_asked_for(client, database, settings):
    director = await a_caller(database, settings, "village_director", VILLAGE)
    unknown = new_id()
    headers = {**director.headers, "x-request-id": "of-a-phone"}
    answer = await client.get(f"/v1/children/{unknown}", headers=headers)
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT subject_id, decision, rule, request_id, ip FROM audit_entries"
            " WHERE operation = 'readChild'"
        )
    assert answer.status_code == 404
    assert tuple(row) == (unknown, "denied", "child-not-found", "of-a-phone", "127.0.0.1")


async def test_supervision_sees_its_region_and_nothing_beyond(client, database, settings):
    near = await _denied_call(client, database, settings, VILLAGE)
    await _denied_call(client, database, settings, WUQING)
    auditor = await a_caller(database, settings, "auditor", JIZHOU)
    answer = await client.get("/v1/audit-entries?decision=denied", headers=auditor.headers)
    assert answer.status_code == 200, answer.text
    assert [item["agency_id"] for item in answer.json()["items"]] == [str(near.agency_id)]


async def test_an_agency_sees_its_own_looks_only(client, database, settings):
    await _denied_call(client, database, settings, VILLAGE)
    county = await a_caller(database, settings, "civil_affairs", JIZHOU)
    answer = await client.get("/v1/audit-entries", headers=county.headers)
    assert answer.json()["items"] == []
    again = await client.get("/v1/audit-entries", headers=county.headers)
    assert [item["operation"] for item in again.json()["items"]] == ["listAuditEntries"]
    for other in (f"child_id={uuid4()}", "decision=denied"):
        narrowed = await client.get(f"/v1/audit-entries?{other}", headers=county.headers)
        assert narrowed.json()["items"] == []
    looks = (await client.get("/v1/audit-entries", headers=county.headers)).json()["items"]
    back = [None, None, "2026-11-20", None]  # how far: one of four showed an entry
    assert [item["since"] for item in looks] == back


async def test_reading_the_audit_is_audited_and_pages(client, database, settings, queries):
    auditor = await a_caller(database, settings, "auditor", JIZHOU)
    child = uuid4()
    for _ in range(3):
        await client.get(f"/v1/audit-entries?child_id={child}", headers=auditor.headers)
    queries.clear()
    first = await client.get("/v1/audit-entries?limit=2", headers=auditor.headers)
    assert len(queries) == 6, queries.statements  # two of them for the reach
    cursor = first.json()["next_cursor"]
    rest = await client.get(f"/v1/audit-entries?limit=2&cursor={cursor}", headers=auditor.headers)
    seen = [entry["id"] for page in (first, rest) for entry in page.json()["items"]]
    assert len(seen) == len(set(seen)) == 3
    assert first.json()["items"][0]["child_ids"] == [str(child)]
    about = await client.get(f"/v1/audit-entries?child_id={child}", headers=auditor.headers)
    assert {*seen} <= {entry["id"] for entry in about.json()["items"]}


async def test_a_purpose_is_needed(client, database, settings):
    auditor = await a_caller(database, settings, "auditor", JIZHOU)
    bare = {"authorization": auditor.headers["authorization"]}
    missing = await client.get("/v1/audit-entries", headers=bare)
    assert (missing.status_code, missing.json()["type"]) == (400, "/problems/parameter-invalid")
    wrong = await client.get("/v1/audit-entries", headers={**bare, "purpose-of-use": "care"})
    assert (wrong.status_code, wrong.json()["type"]) == (403, "/problems/purpose-not-allowed")


async def test_what_was_sought_is_marked_and_never_written(client, database, settings):
    """The same text has the same mark, however it is spelt and whoever seeks it; and no other."""
    county = await a_caller(database, settings, "civil_affairs", JIZHOU)
    other = await a_caller(database, settings, "civil_affairs", WUQING)
    asked = (
        (county, {"name": "样小童"}),
        (other, {"name": " 样小童 ", "match": "prefix"}),
        (county, {"resident_id": "11010120160501001X"}),
        (other, {"resident_id": "１１０１０１ 20160501 001x"}),
        (county, {"pinyin": "yangxiao", "birth_date": "2016-05-01"}),
        (county, {"name": "样小"}),
    )
    for caller, sought in asked:
        answer = await client.post("/v1/children/search", json=sought, headers=caller.headers)
        assert answer.status_code == 200, answer.text
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT * FROM audit_entries ORDER BY id")
    marks = [row["sought"] for row in rows]
    assert (marks[0], marks[2]) == (marks[1], marks[3])
    assert [len(each) for each in marks] == [1, 1, 1, 1, 2, 1]
    assert len({mark for each in marks for mark in each}) == 5
    written = str([dict(row) for row in rows])
    for said in ("样小", "11010120160501001", "yangxiao", "2016"):
        assert said not in written
    told = await client.get("/v1/audit-entries", headers=county.headers)
    assert [each["sought"] for each in told.json()["items"]] == [
        marks[place] for place in (5, 4, 2, 0)
    ]


async def test_who_seeks_nobody_leaves_no_mark(client, database, settings):
    county = await a_caller(database, settings, "civil_affairs", JIZHOU)
    await client.get("/v1/children", headers=county.headers)
    told = await client.get("/v1/audit-entries", headers=county.headers)
    assert [each["sought"] for each in told.json()["items"]] == [[]]


async def test_who_did_what_is_told_by_name_to_those_who_may_know(client, database, settings):
    """Supervision of the region, and their own agency; no name stands in the record."""
    near, far = [
        await a_caller(database, settings, "civil_affairs", region, machine=False)
        for region in (JIZHOU, WUQING)
    ]
    for caller in (near, far):
        await client.get("/v1/audit-entries", headers=caller.headers)
    async with database.begin(SYSTEM) as tx:
        for caller, name in ((near, "甄近"), (far, "甄远")):
            await tx.connection.execute(
                "UPDATE staff SET name = $2 WHERE id = $1", caller.subject_id, name
            )
        written = await tx.connection.fetchval(
            "SELECT string_agg(e::text, '') FROM audit_entries e"
        )
    assert "甄" not in written
    for region, own in ((JIZHOU, "甄近"), (WUQING, "甄远")):
        auditor = await a_caller(database, settings, "auditor", region)
        answer = await client.get("/v1/audit-entries", headers=auditor.headers)
        assert {each["actor_name"] for each in answer.json()["items"]} == {own}
    answer = await client.get("/v1/audit-entries", headers=near.headers)
    assert [each["actor_name"] for each in answer.json()["items"]] == ["甄近"]
    async with database.begin(SYSTEM) as tx:  # they work elsewhere by now
        await tx.connection.execute(
            "UPDATE staff SET agency_id = $2, region_code = $3 WHERE id = $1",
            near.subject_id,
            far.agency_id,
            WUQING,
        )
    auditor = await a_caller(database, settings, "auditor", JIZHOU)
    answer = await client.get("/v1/audit-entries", headers=auditor.headers)
    assert None in {each["actor_name"] for each in answer.json()["items"]}


async def test_a_read_for_a_purpose_is_recorded_though_it_shows_nobody(
    client, database, settings
) -> None:
    caller = await a_caller(database, settings, "village_director", VILLAGE)
    read = await client.get("/v1/children", headers=caller.headers)
    assert read.json()["items"] == []
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT operation, purpose, field_groups FROM audit_entries"
        )
    assert [row["operation"] for row in rows] == ["listChildren"], rows


class TestWhoSawAChild:
    async def seen(self, client, caller, child_id):
        return await client.get(f"/v1/children/{child_id}/readers", headers=caller.headers)

    async def test_says_who_of_whatever_agency_and_why_to_who_looks_after_it(
        self, client, database, settings
    ) -> None:
        child = await a_child(database, VILLAGE)
        township, colleague, county = [
            await a_caller(database, settings, *who)
            for who in (
                ("township_supervisor", VILLAGE // 1000 * 1000),
                ("village_director", VILLAGE),
                ("civil_affairs", JIZHOU),
            )
        ]
        city = await a_caller(database, settings, "education_authority", 120000000000)
        for caller, purpose in ((colleague, "care"), (city, "supervision")):
            headers = {**caller.headers, "purpose-of-use": purpose}
            await client.get(f"/v1/children/{child.id}", headers=headers)
        await client.get("/v1/children", headers=colleague.headers)
        stranger = await a_caller(database, settings, "civil_affairs", WUQING)
        refused = await client.get(f"/v1/children/{child.id}", headers=stranger.headers)
        assert refused.status_code == 404
        answer = await self.seen(client, township, child.id)
        assert answer.status_code == 200, answer.text
        said = [(each["operation"], each["purpose"]) for each in answer.json()["items"]]
        assert said == [
            ("listChildren", "care"),
            ("readChild", "supervision"),
            ("readChild", "care"),
        ]
        [mine] = [e for e in answer.json()["items"] if e["purpose"] == "supervision"]
        assert mine["agency_id"] == str(city.agency_id), "whatever agency it was"
        assert mine["actor"] == f"staff:{city.subject_id}"
        elsewhere = await a_child(database, VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await audit.record(tx, audit.SYSTEM, "readChild", Seen())
            await tx.connection.execute(
                "INSERT INTO audit_children SELECT id, ARRAY[$1::uuid] FROM audit_entries"
                " WHERE child_ids = '{}' AND request_id = 'job'",
                elsewhere.id,
            )
        index_alone = await self.seen(client, township, elsewhere.id)
        assert index_alone.json()["items"] == [], "the entry names it, or nobody looked"
        again = (await self.seen(client, county, child.id)).json()["items"]
        assert again[0]["operation"] == "listChildReaders", "who asks is seen as well"
        assert (await self.seen(client, colleague, child.id)).status_code == 403
        assert (await self.seen(client, stranger, child.id)).status_code == 404

    async def test_says_nothing_that_is_hidden_from_who_asks(
        self, client, database, settings
    ) -> None:
        child = await a_child(database, VILLAGE)
        offices = await the_offices(database, settings)
        body = a_report(child_id=str(child.id), suspect_agency_id=str(offices.township.agency_id))
        del body["subject"]
        filed = await client.post("/v1/police-reports", json=body, headers=offices.village.headers)
        assert filed.status_code == 201, filed.text
        doctor = await a_caller(database, settings, "hospital", WUQING)
        glass = await broken(client, doctor, child.id)
        assert glass.status_code == 201, glass.text
        hidden = (await self.seen(client, offices.township, child.id)).json()["items"]
        assert hidden == []
        shown = (await self.seen(client, offices.county, child.id)).json()["items"]
        assert {each["operation"] for each in shown} >= {"fileReport", "breakGlass"}


async def test_who_checks_changes_nothing(client, database, settings) -> None:
    """AZ-6: a purpose is looked at for what is done, too."""
    await some_regions(database, VILLAGE)
    township = await a_caller(database, settings, "township_supervisor", VILLAGE // 1000 * 1000)
    checks = {**township.headers, "purpose-of-use": "supervision", "if-match": '"1"'}
    made = await client.post("/v1/children", json=a_file(VILLAGE), headers=township.headers)
    url = f"/v1/children/{made.json()['id']}"
    assert (await client.get(url, headers=checks)).status_code == 200
    change = {"guardianship": {"kind": "grandparents"}}
    refused = await client.patch(url, json=change, headers=checks)
    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/purpose-not-allowed"
    cares = {**checks, "purpose-of-use": "care"}
    assert (await client.patch(url, json=change, headers=cares)).status_code == 200
