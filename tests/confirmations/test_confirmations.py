"""That a file says how it is, quarter by quarter. Who sees which, the matrix proves."""

from datetime import timedelta
from typing import get_args

import pytest

from app.children.sections import SECTIONS
from app.confirmations.schemas import Section
from app.regions.rules import lineage
from tests.access.factories import a_caller, renewed
from tests.children.factories import a_file
from tests.confirmations.matrix import a_confirmation
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import rows
from tests.regions.factories import some_regions

URL = "/v1/confirmations"
COUNTY, TOWNSHIP = VILLAGE // 10**6 * 10**6, VILLAGE // 1000 * 1000


@pytest.fixture
async def file(client, database, director):
    """A left-behind child's file, and where the one on paper lies."""
    await some_regions(database, *lineage(VILLAGE)[:-1])
    body = a_file(VILLAGE)
    body["identity"]["paper_file"] = "村委会档案柜2"
    answer = await client.post("/v1/children", json=body, headers=director.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _owed(client, caller, rule="REG-03.confirm") -> list[tuple[str, str, str]]:
    answer = await client.get("/v1/duties", params={"rule": rule}, headers=caller.headers)
    return [(each["state"], each["period"], each["due_at"]) for each in answer.json()["items"]]


async def test_the_director_owes_it_each_quarter_and_nobody_else_gives_it(
    client, database, settings, director, file
) -> None:
    """REG-03: 一人一档,每季度动态更新儿童信息; REG-09: 定期进行更新; REG-12: 动态更新."""
    assert file["identity"]["paper_file"] == "村委会档案柜2"
    await run_jobs(database)
    owed = [("open", "2026Q4", "2026-12-31T16:00:00Z")]
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    clerk = await a_caller(database, settings, "civil_affairs", COUNTY)
    for caller in (director, township, clerk):
        assert await _owed(client, caller) == owed
    for who, day in ((clerk, "2026-11-18"), (township, "2026-11-18"), (director, "2026-09-30")):
        body = a_confirmation(file["id"], confirmed_on=day)
        answer = await client.post(URL, json=body, headers=who.headers)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        assert await _owed(client, director) == owed, "by another, or of a quarter before"
    body = a_confirmation(file["id"], changed=["residence", "family", "family"])
    answer = await client.post(URL, json=body, headers=director.headers)
    assert answer.json()["changed"] == ["family", "residence"]
    await run_jobs(database)
    assert [each[0] for each in await _owed(client, township)] == ["discharged"]
    log = await client.get(f"/v1/children/{file['id']}/confirmations", headers=township.headers)
    said = [(each["confirmed_on"], each["as_role"]) for each in log.json()["items"]]
    assert said[0] == ("2026-11-18", "village_director")
    assert said[3:] == [("2026-09-30", "village_director")]


async def test_village_and_township_each_keep_a_file_on_paper_and_update_it_each_quarter(
    client, database, settings, director, file
) -> None:
    """REG-03: 各乡镇(街道)、村(居)委会要建立…纸质档案,并做到一人一档,每季度动态更新儿童信息."""
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    clerk = await a_caller(database, settings, "civil_affairs", COUNTY)
    body = a_file(VILLAGE)
    body["identity"] |= {"name": "样小二", "resident_id": None, "birth_date": "2015-03-01"}
    another = await client.post("/v1/children", json=body, headers=director.headers)
    assert another.status_code == 201, another.text
    await run_jobs(database)

    async def owed(child: str) -> list[tuple[str, str]]:
        found = []
        for rule in ("REG-03.confirm", "REG-03.paper"):
            params = {"rule": rule, "child_id": child}
            answer = await client.get("/v1/duties", params=params, headers=clerk.headers)
            (duty,) = answer.json()["items"]
            assert (duty["period"], duty["due_at"]) == ("2026Q4", "2026-12-31T16:00:00Z")
            found.append((duty["bearer"]["role"], duty["state"]))
        return found

    village, above = ("village_director", "open"), ("township_supervisor", "open")
    done = [(role, "discharged") for role, _ in (village, above)]
    for who, on_paper, left in (
        (director, None, [village, above]),
        (director, False, [village, above]),
        (township, False, [village, above]),
        (clerk, True, [village, above]),
        (director, True, [done[0], above]),
        (township, None, [done[0], above]),
        (township, True, done),
    ):
        body = a_confirmation(file["id"], on_paper=on_paper)
        answer = await client.post(URL, json=body, headers=who.headers)
        assert (answer.status_code, answer.json()["on_paper"]) == (201, on_paper), answer.text
        await run_jobs(database)
        assert await owed(file["id"]) == left, (who.claims["role"], on_paper)
    assert await owed(another.json()["id"]) == [village, above], "一人一档: each child has one"


async def _entering(client, caller) -> list[dict[str, object]]:
    params = {"rule": "REG-11.enter"}
    answer = await client.get("/v1/duties", params=params, headers=caller.headers)
    return answer.json()["items"]


async def test_what_is_otherwise_by_now_is_entered_in_time_by_who_answers_for_it(
    client, database, settings, director, file, now
) -> None:
    """REG-11: 如留守兒童家庭發生變動、監護人更換、學習成績變化等情況,要及時在系統中修改."""
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    url = f"/v1/children/{file['id']}"
    body = a_confirmation(file["id"], differs=["education", "guardianship", "family", "family"])
    for status in (201, 200):
        told = await client.post(URL, json=body, headers=director.headers)
        assert told.status_code == status, told.text
    assert told.json()["differs"] == ["education", "family", "guardianship"]
    await run_jobs(database)
    assert [each[0] for each in await _owed(client, director)] == ["open"], "it is not as filed"
    for caller in (director, township):
        (duty,) = await _entering(client, caller)
        said = (duty["state"], duty["due_at"], duty["bearer"]["role"])
        assert said == ("open", "2026-11-27T16:00:00Z", "village_director")

    database.clock = lambda: now + timedelta(minutes=1)
    results = [{"on": "2026-11-13", "subject": "overall", "mark": "fail"}]
    parents = [{**each, "work_place": "样板工地"} for each in file["family"]["parents"]]
    entered = {
        "education": {"results": results},
        "guardianship": {"guardian": {"name": "样老丁"}},
        "family": {"parents": parents},
    }
    for version, (section, change) in enumerate(entered.items(), start=1):
        (duty,) = await _entering(client, director)
        assert duty["state"] == "open", f"before {section} was entered"
        headers = {**director.headers, "if-match": f'"{version}"'}
        answer = await client.patch(url, json={section: change}, headers=headers)
        assert answer.status_code == 200, answer.text
        await run_jobs(database)
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    for who, changed, state in (
        (bureau, [*entered], "open"),  # writes education only
        (director, ["family"], "open"),  # the guardian's number may have changed, and no more
        (director, ["guardianship"], "discharged"),
    ):
        (duty,) = await _entering(client, township)
        assert duty["state"] == "open"
        said = a_confirmation(file["id"], confirmed_on="2026-11-20", changed=changed)
        answer = await client.post(URL, json=said, headers=who.headers)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        (duty,) = await _entering(client, township)
        assert duty["state"] == state, changed
    assert duty["discharged_by"] == body["id"]
    found = await client.get(f"{URL}/{body['id']}", headers=township.headers)
    assert found.json()["entered_at"] == "2026-11-20T02:01:00Z"

    record = await client.get(f"/v1/duties/{duty['id']}", headers=township.headers)
    (answers_for_it,) = record.json()["held_then"]
    log = await client.get(f"{url}/history", headers=township.headers)
    changes = [(each["actor"], each["sections"]) for each in log.json()["items"]]
    by_whom = f"staff:{answers_for_it['staff_id']}"
    assert changes[:3] == [(by_whom, [each]) for each in reversed(entered)]


async def test_a_school_and_other_departments_say_what_is_otherwise(
    client, database, settings, director, file, now
) -> None:
    """REG-11: 各部門將收集到的信息及時錄入系統. They see no more, and take a slip back."""
    teacher = await a_caller(database, settings, "school", TOWNSHIP)
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    enrolled = {"education": {"school_id": str(teacher.agency_id)}}
    headers = {**director.headers, "if-match": '"1"'}
    answer = await client.patch(f"/v1/children/{file['id']}", json=enrolled, headers=headers)
    assert answer.status_code == 200, answer.text
    other = await a_caller(database, settings, "school", TOWNSHIP)
    body = a_confirmation(file["id"], differs=["family"])
    absent = await client.post(URL, json=body, headers=other.headers)
    assert absent.status_code == 404, "no pupil of theirs"

    said = []
    for who, differs in ((teacher, ["family", "health"]), (bureau, ["guardianship"])):
        words = {"note": "合成记录"}
        body = a_confirmation(file["id"], differs=differs, **words)
        answer = await client.post(URL, json=body, headers=who.headers)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["differs"], answer.json()["as_sent"]) == (differs, words)
        said.append(body)
    await run_jobs(database)
    owed = await _entering(client, director)
    assert [(each["state"], each["bearer"]["role"]) for each in owed] == [
        ("open", "village_director")
    ] * 2
    for who, [by_teacher, by_bureau] in (
        (director, [(["family", "health"], words), (["guardianship"], words)]),
        (teacher, [(["family", "health"], words), (["guardianship"], words)]),
        (bureau, [([], None), (["guardianship"], words)]),
    ):
        log = await client.get(f"/v1/children/{file['id']}/confirmations", headers=who.headers)
        seen = {each["id"]: (each["differs"], each["as_sent"]) for each in log.json()["items"]}
        assert seen == {said[0]["id"]: by_teacher, said[1]["id"]: by_bureau}

    for who, takes_back in ((bureau, said[0]), (teacher, said[0])):
        body = a_confirmation(file["id"], instead_of=takes_back["id"])
        answer = await client.post(URL, json=body, headers=who.headers)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        states = sorted(each["state"] for each in await _entering(client, director))
        assert states == (["open", "open"] if who is bureau else ["cancelled", "open"])

    unread = a_confirmation(file["id"], differs=["小区"])
    first = a_confirmation(file["id"], changed=["guardianship"])  # which nobody entered
    database.clock = lambda: now + timedelta(minutes=1)
    for body, state in (
        (unread, "open"),  # something is otherwise, whatever it is
        (first, "discharged"),
        (a_confirmation(file["id"], differs=["hukou"], instead_of=first["id"]), "open"),
    ):
        answer = await client.post(URL, json=body, headers=director.headers)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        assert [each[0] for each in await _owed(client, director)] == [state]

    same_day = {"confirmed_on": "2026-11-20"}  # on which it was entered, before this was heard of
    late = a_confirmation(file["id"], differs=["education"], **same_day)
    for minutes, who, body in (
        (2, teacher, late),
        (3, director, a_confirmation(file["id"], changed=["education"])),
    ):
        database.clock = lambda minutes=minutes: now + timedelta(minutes=minutes)
        answer = await client.post(URL, json=body, headers=who.headers)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
    owed = {each["subject_id"]: each["state"] for each in await _entering(client, director)}
    assert (owed[late["id"]], owed[said[1]["id"]]) == ("discharged", "open")


async def test_a_word_that_is_wrong_is_no_dead_end(
    client, database, settings, director, file, now
) -> None:
    """REG-11, 保證數據質量: two who do not owe it may say it is not so, whoever said it was."""
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    wrong = a_confirmation(file["id"], differs=["guardianship"])
    unentered = a_confirmation(file["id"], changed=["guardianship"])
    for minutes, who, body in ((0, bureau, wrong), (1, director, unentered)):
        database.clock = lambda minutes=minutes: now + timedelta(minutes=minutes)
        answer = await client.post(URL, json=body, headers=who.headers)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
    (duty,) = await _entering(client, director)
    assert duty["state"] == "open", "said only, and nothing in the file changed"
    url, words = f"/v1/duties/{duty['id']}", {"reason": "合成记录:核实无变动。"}
    for who, path, body, status in (
        (director, "waiver", words, 403),  # who owes it
        (township, "waiver", words, 201),
        (county, "waiver/approval", None, 200),
    ):
        read = await client.get(url, headers=who.headers)
        headers = {**who.headers, "if-match": read.headers["etag"]}
        answer = await client.post(f"{url}/{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
    assert answer.json()["state"] == "waived"


async def test_who_takes_back_that_it_was_entered_owes_it_again(
    client, database, settings, director, file, now
) -> None:
    """REG-11: what was not entered after all is to be entered still."""
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    found = a_confirmation(file["id"], differs=["guardianship"])
    slip = a_confirmation(file["id"], changed=["guardianship"])
    unsaid = a_confirmation(file["id"], instead_of=slip["id"])
    again = a_confirmation(file["id"], changed=["guardianship"])
    number = {"guardianship": {"guardian": {"name": "样老丁"}}}
    headers = {**director.headers, "if-match": '"1"'}
    answer = await client.patch(f"/v1/children/{file['id']}", json=number, headers=headers)
    assert answer.status_code == 200, answer.text
    for minutes, (who, body, state) in enumerate(
        (
            (township, found | {"confirmed_on": "2026-11-20"}, "open"),
            (director, slip, "discharged"),
            (director, unsaid, "open"),
            (director, again, "discharged"),
        )
    ):
        database.clock = lambda minutes=minutes: now + timedelta(minutes=minutes)
        answer = await client.post(URL, json=body, headers=who.headers)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        (duty,) = await _entering(client, director)
        read = await client.get(f"{URL}/{found['id']}", headers=township.headers)
        is_in = read.json()["entered_at"] is not None
        assert (duty["state"], is_in) == (state, state == "discharged")


async def test_sent_again_it_is_one_and_a_clock_ahead_is_kept(
    client, database, director, file
) -> None:
    body = a_confirmation(file["id"], confirmed_on="2026-11-21")
    first, again = [await client.post(URL, json=body, headers=director.headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["confirmed_on"], first.json()["stated_on"]) == ("2026-11-20", "2026-11-21")
    assert len(await rows(database, "events WHERE wire_name LIKE 'confirmations.%'")) == 1
    [kept] = await rows(database, "confirmations")
    assert kept["author"] == director.subject_id
    today = a_confirmation(file["id"], confirmed_on="2026-11-20")
    said = await client.post(URL, json=today, headers=director.headers)
    assert said.json()["stated_on"] is None, "of today no clock is ahead"
    other = {**body, "changed": ["family"]}
    taken = await client.post(URL, json=other, headers=director.headers)
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/confirmation-differs")
    unknown = a_confirmation("0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b22")
    absent = await client.post(URL, json=unknown, headers=director.headers)
    assert (absent.status_code, absent.json()["type"]) == (404, "/problems/child-not-found")


async def test_who_looked_after_the_child_on_that_day_may_say_so_after_it_moved(
    client, database, settings, director, file, monkeypatch
) -> None:
    clerk = await a_caller(database, settings, "civil_affairs", COUNTY)
    await some_regions(database, VILLAGE + 1)
    away = {"residence": {"region_code": str(VILLAGE + 1), "since": "2026-11-19"}}
    headers = {**clerk.headers, "if-match": f'"{file["version"]}"'}
    gone = await client.patch(f"/v1/children/{file['id']}", json=away, headers=headers)
    assert gone.status_code == 200, gone.text
    later = database.clock() + timedelta(days=2)
    monkeypatch.setattr(database, "clock", lambda: later)
    director = renewed(database, settings, director)
    for day, status in (("2026-11-18", 201), ("2026-11-22", 404)):
        body = a_confirmation(file["id"], confirmed_on=day)
        answer = await client.post(URL, json=body, headers=director.headers)
        assert answer.status_code == status, day


async def test_nothing_beside_it_refuses_what_was_confirmed(client, director, file) -> None:
    """A phone of another version says more, or calls a section otherwise: what was done is kept."""
    said = a_confirmation(file["id"], changed=["health", "family", "小区"], gps={"at": [1, 2]})
    first = await client.post(URL, json=said, headers=director.headers)
    assert first.status_code == 201, first.text
    assert first.json()["changed"] == ["family", "health"]
    assert first.json()["as_sent"] == {"changed.2": "小区", "gps": {"at": [1, 2]}}
    again = {**said, "changed": ["family", "health"], "gps": None}
    repeated = await client.post(URL, json=again, headers=director.headers)
    assert (repeated.status_code, repeated.json()) == (200, first.json())
    read = await client.get(f"{URL}/{said['id']}", headers=director.headers)
    assert read.json() == first.json()
    other = await client.post(URL, json={**said, "changed": []}, headers=director.headers)
    assert other.status_code == 409


def test_every_section_of_a_file_can_be_said_to_have_changed() -> None:
    assert get_args(Section) == tuple(SECTIONS)
