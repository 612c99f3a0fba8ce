"""A desk anywhere in the nation asks whether a child is known, and whom to call."""

from datetime import date

import pytest

from app.access import budgets
from app.core.data.db import SYSTEM
from tests.access.approving import send_by_two
from tests.access.factories import a_caller, an_agency
from tests.access.test_budgets import LEVELS
from tests.break_glass.factories import accused, broken, file, problem, urgent
from tests.children.factories import RESIDENT_ID, a_child
from tests.elsewhere.conftest import FAR
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE
from tests.printed import readable

BY_NUMBER = {"resident_id": RESIDENT_ID}
BY_NAME = {"name": "样小一", "birth_date": "2016-03-01"}
NOBODY = {"name": "测无此人", "birth_date": "2016-03-01"}


async def looked(client, caller, service="emergency", **sought):
    body = {"service": service, "why": "injured", **(sought or BY_NUMBER)}
    return await client.post("/v1/looks-elsewhere", json=body, headers=urgent(caller))


async def looks(client, caller, **query):
    answer = await client.get("/v1/looks-elsewhere", params=query, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def told(database):
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch(
            "SELECT region_code, told_to, data FROM events WHERE wire_name = 'elsewhere.looked'"
        )


@pytest.fixture
def few(monkeypatch):
    """Budgets that are soon spent: an alarm at two, an end after three."""
    marks = {level: {"alarm": 2, "refuse": 3} for level in LEVELS}
    monkeypatch.setattr(budgets, "_looks", lambda *_: marks)
    budgets.marks_of.cache_clear()
    yield
    budgets.marks_of.cache_clear()


@pytest.mark.parametrize("sought", [BY_NUMBER, BY_NAME, {**BY_NAME, "name": "样 小一"}], ids=str)
async def test_is_told_that_a_child_is_known_and_whom_to_call_and_nothing_else(
    client, database, settings, offices, child, hospital, sought
) -> None:
    county, agency_id = offices.county, offices.county.agency_id
    other = await a_caller(database, settings, "civil_affairs", COUNTY, agency_id=agency_id)
    path, body = f"/v1/agencies/{agency_id}/public-contact", {"public_contact": "022-00000000"}
    put = await send_by_two(client, county, other, "setPublicContact", "PUT", path, body)
    assert put.status_code == 200, put.text
    answer = await looked(client, hospital, **sought)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said.keys() == {"id", "known", "call", "otherwise"}
    assert said["known"] is True
    [office] = said["call"]
    assert office == {
        "agency_id": str(offices.county.agency_id),
        "name": f"测试机构 civil_affairs {COUNTY}",
        "region_code": str(COUNTY),
        "public_contact": "022-00000000",
    }
    assert child not in answer.text


async def test_a_miss_has_the_same_shape_and_costs_as_many_statements(
    client, database, settings, offices, child, hospital, queries
) -> None:
    own = await an_agency(database, "civil_affairs", FAR)
    answers = []
    for sought in (BY_NUMBER, BY_NAME, NOBODY, {"resident_id": "11010119900307721X"}):
        queries.statements.clear()
        answer = await looked(client, hospital, **sought)
        assert answer.status_code == 200, answer.text
        answers.append((answer, list(queries.statements)))
    shapes = {
        (answer.json().keys().__str__(), len(answer.json()["call"]), tuple(statements))
        for answer, statements in answers
    }
    assert len(shapes) == 1
    assert [answer.json()["known"] for answer, _ in answers] == [True, True, False, False]
    [office] = answers[2][0].json()["call"]
    assert office["agency_id"] == str(own), "whoever worries calls those of where they are"
    assert {len(answer.headers) for answer, _ in answers} == {len(answers[0][0].headers)}


async def test_the_childs_worker_is_told_who_asked_from_where_and_why(
    client, database, settings, offices, child, hospital
) -> None:
    answer = (await looked(client, hospital)).json()
    await looked(client, hospital, **NOBODY)
    await run_jobs(database)
    [row] = await told(database)
    assert (row["region_code"], row["told_to"]) == (VILLAGE, None)
    feed = await client.get("/v1/events", headers=offices.county.headers)
    [data] = [e["data"] for e in feed.json()["items"] if e["type"] == "elsewhere.looked"]
    assert (data["child_id"], data["by_kind"], data["why"]) == (child, "hospital", "injured")
    assert (data["looked_from"], data["purpose"]) == (FAR, "protection")
    for caller in (offices.village, offices.township, offices.county):
        [look] = await looks(client, caller)
        assert (look["child_id"], look["look_id"], look["why"]) == (child, answer["id"], "injured")
        assert look["looked_by"] == f"staff:{hospital.subject_id}"
        assert (look["looked_from"], look["known"]) == (str(FAR), True)
    assert [each["look_id"] for each in await looks(client, offices.county, child_id=child)] == [
        answer["id"]
    ]
    missed, found = await looks(client, hospital)
    assert (found["known"], found["child_id"]) == (True, None)
    assert (missed["known"], missed["child_id"]) == (False, None)
    assert await looks(client, hospital, child_id=child) == [], "not even by asking for the child"
    far = await a_caller(database, settings, "civil_affairs", FAR)
    assert await looks(client, far) == [], "who sought nobody of theirs concerns nobody"


async def test_the_audit_names_the_child_and_nothing_that_was_sought(
    client, database, offices, child, hospital
) -> None:
    await looked(client, hospital)
    await looked(client, hospital, **BY_NAME)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT child_ids, purpose, field_groups FROM audit_entries"
            " WHERE operation = 'lookElsewhere'"
        )
        assert [list(map(str, row["child_ids"])) for row in rows] == [[child], [child]]
        for table in ("looks_elsewhere", "audit_entries", "events", "jobs"):
            text = await tx.connection.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t")
            assert RESIDENT_ID not in readable(text)
            assert "样小一" not in readable(text)


async def test_two_of_one_name_and_day_are_two_to_call_and_no_child_of_age_is_told_of(
    client, database, settings, offices, child, hospital
) -> None:
    other = await a_child(database, FAR + 101200, name="样小一", birth_date=date(2016, 3, 1))
    far = await a_caller(database, settings, "civil_affairs", FAR)
    answer = (await looked(client, hospital, **BY_NAME)).json()
    called = {office["agency_id"] for office in answer["call"]}
    assert called == {str(offices.county.agency_id), str(far.agency_id)}
    await run_jobs(database)
    assert len(await told(database)) == 2
    spent = await broken(client, hospital, None, child_id=None, look_id=answer["id"])
    assert problem(spent) == (404, "child-not-found"), "which of them is not said"
    for born, known in ((date(2008, 11, 21), True), (date(2008, 11, 20), False)):
        await a_child(database, VILLAGE, name="测成年", birth_date=born)
        said = await looked(client, hospital, name="测成年", birth_date=str(born))
        assert said.json()["known"] is known
    assert str(other.id) not in str(answer)


async def test_what_a_desk_asked_is_one_look_however_many_it_found(
    client, database, offices, child, hospital
) -> None:
    """It was told one office to call; a second row would say that there are two such children."""
    await a_child(database, VILLAGE, name="样小一", birth_date=date(2016, 3, 1))
    answer = (await looked(client, hospital, **BY_NAME)).json()
    assert len(answer["call"]) == 1
    [own] = await looks(client, hospital)
    assert (own["look_id"], own["known"], own["child_id"]) == (answer["id"], True, None)
    assert len(await looks(client, offices.county)) == 2, "who looks after them sees each"


async def test_what_cannot_wait_is_opened_by_the_look_that_found_it(
    client, offices, child, hospital
) -> None:
    look = (await looked(client, hospital)).json()["id"]
    glass = await broken(client, hospital, None, child_id=None, look_id=look)
    assert glass.status_code == 201, glass.text
    assert (await file(client, hospital, glass.json())).json()["child_id"] == child
    missed = (await looked(client, hospital, **NOBODY)).json()["id"]
    none = await broken(client, hospital, None, child_id=None, look_id=missed)
    assert problem(none) == (404, "child-not-found")
    colleagues = await broken(client, offices.police, None, child_id=None, look_id=look)
    assert problem(colleagues) == (404, "child-not-found")


@pytest.mark.parametrize(
    "service", ["sexual_health", "mental_health", "counselling", "addiction", "outpatient"]
)
async def test_a_desk_that_a_child_must_seek_in_confidence_does_not_ask(
    client, offices, child, hospital, service
) -> None:
    assert problem(await looked(client, hospital, service)) == (403, "desk-off")


async def test_desks_and_purposes_are_those_of_the_policy(
    client, database, settings, offices, child, monkeypatch
) -> None:
    hotel = await an_agency(database, "hotel", FAR)
    shelter = await an_agency(database, "rescue_institution", FAR)
    clerk, worker = [
        await a_caller(database, settings, "reporting_body", FAR, agency_id=agency)
        for agency in (hotel, shelter)
    ]
    assert problem(await looked(client, clerk, "shelter")) == (403, "desk-off")
    assert problem(await looked(client, worker, "emergency")) == (403, "desk-off")
    assert (await looked(client, worker, "shelter")).json()["known"] is True
    police = await a_caller(database, settings, "police", FAR, machine=True)
    assert (await looked(client, police, "police_desk")).json()["known"] is True
    monkeypatch.setattr("app.elsewhere.operations._purposes", lambda *_: ["care"])
    assert problem(await looked(client, worker, "shelter")) == (403, "purpose-not-allowed")
    for caller in (offices.county, offices.school):
        assert problem(await looked(client, caller)) == (403, "scope-missing")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "样小一"},
        {"birth_date": "2016-03-01"},
        {**BY_NUMBER, **BY_NAME},
        {**BY_NUMBER, "name": "样小一"},
        {"resident_id": None},
    ],
    ids=str,
)
async def test_one_person_is_sought(client, hospital, wrong) -> None:
    assert problem(await looked(client, hospital, **wrong)) == (422, "validation-failed")


async def test_who_asks_too_often_is_seen_and_then_refused(
    client, database, settings, offices, child, hospital, few
) -> None:
    for _ in range(3):
        assert (await looked(client, hospital, **NOBODY)).status_code == 200
    spent = await looked(client, hospital)
    assert problem(spent) == (429, "budget-spent")
    assert "until 2026-11-21T00:00:00+08:00" in spent.json()["detail"]
    assert int(spent.headers["retry-after"]) == 14 * 3600
    async with database.begin(SYSTEM) as tx:
        said = await tx.connection.fetch(
            "SELECT data ->> 'mark' AS mark FROM events"
            " WHERE wire_name = 'audit.alarm_raised' ORDER BY n"
        )
    assert [row["mark"] for row in said] == ["alarm", "refuse"]
    colleague = await a_caller(database, settings, "hospital", FAR, agency_id=hospital.agency_id)
    assert (await looked(client, colleague)).status_code == 200


async def test_what_a_look_found_opens_to_who_looked_alone(
    client, database, settings, child, hospital
) -> None:
    look = (await looked(client, hospital)).json()["id"]
    colleague = await a_caller(database, settings, "hospital", FAR, agency_id=hospital.agency_id)
    by_look = {"child_id": None, "look_id": look}
    assert problem(await broken(client, colleague, child, **by_look)) == (404, "child-not-found")
    assert (await broken(client, hospital, child, **by_look)).status_code == 201


class TestWhomAReportSpeaksAgainst:
    async def test_is_told_of_nobody(self, client, database, offices, child, hospital) -> None:
        await accused(client, offices.township, child, hospital.agency_id)
        answer = await looked(client, hospital)
        assert answer.json()["known"] is False
        await run_jobs(database)
        assert await told(database) == []
        [own] = await looks(client, hospital)
        assert own["known"] is False
        assert await looks(client, offices.county) == []

    async def test_is_not_called_and_hears_nothing(
        self, client, database, settings, offices, child, hospital
    ) -> None:
        city = await a_caller(database, settings, "civil_affairs", 120000000000)
        await accused(client, offices.township, child, offices.county.agency_id)
        await run_jobs(database)
        answer = (await looked(client, hospital)).json()
        assert [office["agency_id"] for office in answer["call"]] == [str(city.agency_id)]
        await run_jobs(database)
        [row] = await told(database)
        assert str(offices.county.agency_id) not in row["told_to"]
        assert {str(c.agency_id) for c in (offices.village, offices.township, city)} <= {
            *map(str, row["told_to"])
        }
        assert await looks(client, offices.county) == []
        [look] = await looks(client, offices.village)
        assert look["child_id"] == child
        [own] = await looks(client, hospital)
        assert own["known"] is True

    async def test_does_not_read_of_it_with_the_child(
        self, client, database, offices, child, hospital
    ) -> None:
        await accused(client, offices.village, child, offices.township.agency_id)
        await looked(client, hospital)
        await run_jobs(database)
        for caller, known in ((offices.township, False), (offices.county, True)):
            page = await client.get(f"/v1/children/{child}/readers", headers=caller.headers)
            said = {each["operation"] for each in page.json()["items"]}
            assert ("lookElsewhere" in said) is known, said


async def test_the_public_contact_is_said_by_two_of_the_agency_or_who_has_its_place(
    client, database, settings, offices
) -> None:
    url = f"/v1/agencies/{offices.township.agency_id}/public-contact"
    body = {"public_contact": "022-11111111"}
    county, agency_id = offices.county, offices.county.agency_id
    alone = await client.put(url, json=body, headers=county.headers)
    assert problem(alone) == (403, "approval-required")
    colleague = await a_caller(database, settings, "civil_affairs", COUNTY, agency_id=agency_id)
    said = await send_by_two(client, county, colleague, "setPublicContact", "PUT", url, body)
    assert said.status_code == 200, said.text
    read = await client.get(
        f"/v1/agencies/{offices.township.agency_id}", headers=offices.county.headers
    )
    assert read.json()["public_contact"] == "022-11111111"
    other = await a_caller(database, settings, "civil_affairs", FAR)
    foreign = await client.put(url, json=body, headers=other.headers)
    assert problem(foreign) == (403, "outside-remit")
    own = f"/v1/agencies/{other.agency_id}/public-contact"
    alone = await client.put(own, json={"public_contact": None}, headers=other.headers)
    assert problem(alone) == (403, "approval-required"), "nor one's own alone"
    nobody = await client.put(
        "/v1/agencies/0198f5a0-7c1e-7b6a-9c3e-0d5a4b6c7d8e/public-contact",
        json=body,
        headers=other.headers,
    )
    assert problem(nobody) == (404, "agency-not-found")
    made = await client.post(
        "/v1/agencies",
        json={
            "kind": "kindergarten",
            "name": "测试幼儿园",
            "region_code": str(TOWNSHIP),
            **body,
        },
        headers=offices.county.headers,
    )
    assert made.json()["public_contact"] == "022-11111111"
