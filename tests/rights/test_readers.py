"""Who looked at a child's data, printed for who asked; nothing in it tells of a case (AZ-8)."""

import re

from app.rights import printing
from tests.access.factories import a_caller
from tests.conftest import undone
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, filed
from tests.rights.factories import a_filed_child, asked, post, problem, shown
from tests.visits.factories import a_visit

_LINE = re.compile(r"<tr><td>(\d{4}-\d\d-\d\d)</td>(.*?)</tr>", re.DOTALL)
_CELL = re.compile(r"<td>([^<]*)")


def _lines(document) -> list[list[str]]:
    return [_CELL.findall(f"<td>{day}</td>{rest}") for day, rest in _LINE.findall(document["html"])]


async def _printed(client, caller, request):
    answer = await post(client, caller, f"/rights-requests/{request['id']}/readers")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_guardian_hears_of_each_kind_of_office_when_and_why(client, offices) -> None:
    child_id = await a_filed_child(client, offices.village)
    for _ in range(2):
        await shown(client, offices.township, f"/children/{child_id}")
    await post(client, offices.village, "/visits", a_visit(child_id))
    request = await asked(client, offices.village, child_id)
    document = await _printed(client, offices.township, request)
    assert _lines(document) == [
        ["2026-11-20", "乡镇人民政府(街道办事处)", "乡镇儿童督导员", "关爱帮扶", "查阅档案", "2"],
        ["2026-11-20", "村(居)民委员会", "儿童主任", "关爱帮扶", "建立档案", "1"],
    ]
    assert (document["child_id"], document["since"]) == (child_id, "2026-11-20")
    for kept in ("登记走访", "测试"):
        assert kept not in document["html"]


async def test_one_that_cannot_hold_all_says_so(client, offices, monkeypatch) -> None:
    child_id = await a_filed_child(client, offices.village)
    await shown(client, offices.township, f"/children/{child_id}")
    request = await asked(client, offices.village, child_id)
    for most, whole in ((2, True), (1, False)):
        monkeypatch.setattr(printing, "MOST", most)
        document = await _printed(client, offices.township, request)
        assert len(_lines(document)) == most
        assert ("的全部应当告知的查阅" in document["html"]) is whole
        assert ("更早的查阅未列入" in document["html"]) is not whole


async def test_the_child_hears_which_office_it_was_and_of_visits(client, offices) -> None:
    child_id = await a_filed_child(client, offices.village)
    await post(client, offices.village, "/visits", a_visit(child_id))
    request = await asked(client, offices.village, child_id, asked_by="child", relation=None)
    document = await _printed(client, offices.township, request)
    assert {line[4] for line in _lines(document)} == {"建立档案", "登记走访"}
    assert all(":" in line[1] for line in _lines(document))


async def test_where_nobody_looked_it_says_so(client, database, settings, offices, child) -> None:
    request = await asked(client, offices.village, str(child.id))
    document = await _printed(client, offices.township, request)
    assert (_lines(document), document["since"]) == ([], None)
    assert "没有应当告知的查阅记录" in document["html"]


async def test_it_is_the_same_whether_there_is_a_report(client, database, offices) -> None:
    child_id = await a_filed_child(client, offices.village)
    request = await asked(client, offices.village, child_id)
    said = []
    for reported in (False, True):
        async with undone(database):
            if reported:
                await filed(client, offices.village, child_id=child_id)
                await run_jobs(database)
            said.append(_lines(await _printed(client, offices.township, request)))
    assert said[0] == said[1] != []


async def test_a_person_prints_it_for_whom_they_know(client, database, settings, offices) -> None:
    child_id = await a_filed_child(client, offices.village)
    unknown = await asked(client, offices.village, child_id, identity_check="not_checked")
    path = f"/rights-requests/{unknown['id']}/readers"
    answer = await post(client, offices.township, path)
    assert problem(answer) == (409, "identity-not-checked")
    machine = await a_caller(
        database, settings, "civil_affairs", VILLAGE // 10**6 * 10**6, machine=True
    )
    answer = await post(client, machine, path)
    assert problem(answer) == (403, "person-required")
    ended = f"/rights-requests/{unknown['id']}/cancellation"
    await post(client, offices.village, ended, None, '"1"')
    answer = await post(client, offices.township, path)
    assert problem(answer) == (409, "rights-request-ended")
