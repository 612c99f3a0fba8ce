"""What a copy holds, for whom; and that it tells nobody whether there is a report (AZ-8)."""

import orjson
import pytest

from app.core.data_files import BadDataFile, parse
from app.rights import copies, copying
from app.rights.copies import CopiedChapter
from tests.conftest import undone
from tests.jobs import run_jobs
from tests.police_reports.factories import filed
from tests.rights.factories import a_filed_child, answered, asked, copied, post
from tests.visits.factories import a_visit

DISGUISED = ("id", "request_id", "child_id", "made_at")


@pytest.fixture
async def child_id(client, offices):
    return await a_filed_child(client, offices.village)


def _said(copy):
    return {each["code"]: each for each in copy.json()["sections"]}


def _fields(section):
    return {each["field"]: each["value"] for each in section["fields"]}


async def test_a_childs_own_copy_is_labelled_and_holds_what_the_office_reads(
    client, offices, child_id
) -> None:
    await post(client, offices.village, "/visits", a_visit(child_id))
    request = await asked(client, offices.village, child_id, asked_by="child", relation=None)
    copy = await copied(client, offices.township, request)
    found = _said(copy)
    assert found["identity"]["title"] == "身份"
    assert found["identity"]["fields"][0] == {"field": "name", "label": "姓名", "value": "样小一"}
    assert _fields(found["residence"])["address"] == "样板胡同九号"
    assert _fields(found["family"])["parents_name"] == ["样大甲", "样大乙"]
    (visit,) = found["visits"]["rows"]
    assert visit[0]["label"] == "走访日期"
    assert (copy.json()["not_read"], copy.json()["format"]) == ([], "tonghu.child-copy/1")
    text = copy.content.decode()
    for secret in ("合成诊断证明1", "good", "样板村儿童主任"):  # of parents, and how one was judged
        assert secret not in text


async def test_a_guardians_copy_does_not_say_where_the_child_is(client, offices, child_id) -> None:
    await post(client, offices.village, "/visits", a_visit(child_id))
    request = await asked(client, offices.village, child_id, kind="portability")
    copy = await copied(client, offices.township, request)
    found = _said(copy)
    assert not {"residence", "guardianship", "visits", "attendance"} & found.keys()
    assert {*_fields(found["education"])} == {"stage", "student_numbers"}
    text = copy.content.decode()
    for where in ("样板胡同九号", "+86 10 5550 0101", "grandparents", "in_person"):
        assert where not in text
    assert "样小一" in text


async def test_what_the_office_does_not_read_is_named_and_not_given(
    client, database, offices, child_id, monkeypatch
) -> None:
    said = copies.copies()
    secret = CopiedChapter(title="另", fields={"at": "时"}, scope="police_reports:handle")
    kept = said.sections["identity"]
    more = said.model_copy(
        update={
            "chapters": {**said.chapters, "more": secret},
            "sections": {"adoption": kept, **said.sections},
        }
    )
    monkeypatch.setattr(copying, "copies", lambda: more)
    request = await asked(client, offices.village, child_id)
    copy = await copied(client, offices.township, request)
    assert copy.json()["not_read"] == ["adoption", "more"]


async def test_a_guardian_who_is_reported_is_answered_like_any_other(
    client, database, offices
) -> None:
    """The same child twice, once with a report that speaks against the guardian who asks."""
    answers = []
    for reported in (False, True):
        async with undone(database):
            child_id = await a_filed_child(client, offices.village)
            if reported:
                situations = ["domestic_violence", "guardian_failure"]
                said = {"situations": situations, "narrative": "外婆样老丙打孩子"}
                await filed(client, offices.school, child_id=child_id, **said)
            await run_jobs(database)
            answers.append([_without(each) for each in await _told(client, offices, child_id)])
    assert answers[0] == answers[1]


async def _told(client, offices, child_id):
    """All that a guardian hears who asks for a copy, and then for everything to be deleted."""
    request = await asked(client, offices.village, child_id)
    yielded = [request, (await copied(client, offices.township, request)).json()]
    yielded.append((await answered(client, offices.township, {**request, "version": 2})).json())
    erasure = await asked(client, offices.village, child_id, kind="erasure")
    refusal = {"outcome": "refused", "reason": "needed_by_law"}
    return [*yielded, (await answered(client, offices.township, erasure, **refusal)).json()]


def _without(said):
    """Leave out what is another in every answer: ids, and the hash of what has them in it."""
    others = {*DISGUISED, "copy_sha256"}
    return orjson.loads(orjson.dumps({k: v for k, v in said.items() if k not in others}))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("identity: → identities:", "no section is called identities; did you mean identity?"),
        ("visits: → visit:", "no chapter of a copy is called visit; did you mean visits?"),
        ("visits:read → visits:reed", "no scope is called visits:reed; did you mean visits:read?"),
        ("[kind] → [kinds]", "no field of it is called kinds; did you mean kind?"),
    ],
)
def test_what_a_copy_names_exists(text, sentence) -> None:
    good = """
left_out: {zh: 无, en: none}
sections:
  identity: {title: 身份, fields: {kind: 种类}, child_only: [kind]}
chapters:
  visits: {title: 走访, scope: "visits:read", fields: {visited_on: 日期}}
"""
    copies.check(parse("copies.yaml", good), copying.CHAPTERS)
    before, after = text.split(" → ")
    assert before in good
    with pytest.raises(BadDataFile) as refused:
        copies.check(parse("copies.yaml", good.replace(before, after)), copying.CHAPTERS)
    assert sentence in str(refused.value)
