"""A file opened offline is taken, whatever it points at: only who the child is and where it lives
must be said, and read.
"""

from typing import Any

import pytest

from app.access.roles import roles
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller, a_new_post, an_agency, renewed
from tests.children.conftest import OTHER_COUNTY_VILLAGE, OTHER_TOWNSHIP_VILLAGE, VILLAGE
from tests.children.factories import RESIDENT_ID, a_file, with_check_digit
from tests.children.test_sent_again import LEFT_ON
from tests.jobs import run_jobs
from tests.police_reports.factories import the_offices
from tests.printed import readable
from tests.visits.factories import a_visit

TOWNSHIP = 120119101000
AHEAD = "2026-11-21"
"""Tomorrow, by the tests' clock."""
LONG = "138 0000 0000 / 139 0000 0000 / 022 2959 0000 转 8 (晚上七点以后再打, 白天在地里干活)"


def _phone(said: Any) -> dict[str, Any]:
    guardianship = a_file(VILLAGE)["guardianship"]
    return {**guardianship, "guardian": {**guardianship["guardian"], "phone": said}}


def _with(section: str, **fields: Any) -> dict[str, Any]:
    return {section: {**a_file(VILLAGE)[section], **fields}}


DIRT: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    *(
        (_with(section, since=AHEAD), {f"{section}.since": AHEAD})
        for section in ("residence", "hukou", "education", "guardianship")
    ),
    (_with("guardianship", evaluated_on=AHEAD), {"guardianship.evaluated_on": AHEAD}),
    ({"recorded_at": "2026-11-19T12:00:00"}, {"recorded_at": "2026-11-19T12:00:00"}),
    ({"guardianship": _phone("")}, None),
    ({"guardianship": _phone(13800000000)}, None),
    ({"guardianship": _phone(LONG)}, None),
    ({"guardianship": _phone("9" * 201)}, {"guardianship.guardian.phone": "9" * 201}),
    (_with("hukou", region_code="１２０１１９"), None),
    (_with("residence", region_code=VILLAGE), None),
    (_with("hukou", region_code="999999"), {"hukou.region_code": "999999000000"}),
    (_with("education", status="at_home"), {"education.status": "at_home"}),
    (_with("residence", lives_with=["alone", "狗"]), {"residence.lives_with.1": "狗"}),
    (_with("residence", address=""), None),
    (_with("identity", sex=None, resident_id=None), None),
    ({"app_version": "3.2"}, {"app_version": "3.2"}),
    (_with("residence", address="村东\ud83d头"), {"residence.address": "U+D83D"}),
    (_with("residence", address="村东\x00头"), {"residence.address": "U+0000"}),
    ({"not_the_same_as": ["G123"]}, {"not_the_same_as.0": "G123"}),
    (
        {"family": {"parents": [{"role": "father", "statuses": [{"since": "2020-01-01"}]}]}},
        {"family.parents.0.statuses.0": {"since": "2020-01-01"}},
    ),
]


@pytest.mark.parametrize(("said", "as_sent"), DIRT, ids=lambda each: str(each)[:60])
async def test_it_is_opened_and_what_is_not_in_it_is_told(
    open_file, client, director, said, as_sent
) -> None:
    chosen = str(new_id())
    first = await open_file(director, id=chosen, **said)
    assert first.status_code == 201, first.text
    assert first.json()["as_sent"] == as_sent
    again = await open_file(director, id=chosen, **said)
    assert (again.status_code, again.json()) == (200, first.json())
    read = await client.get(f"/v1/children/{chosen}", headers=director.headers)
    assert read.json() == first.json()


@pytest.mark.parametrize("first", [{}, {"sent_at": 1}, {"residence": {"gps": 1}}], ids=str)
async def test_the_same_but_for_fields_nobody_knows_is_the_same_file(
    open_file, client, database, settings, director, first
) -> None:
    """What differs is kept beside it, once; from a post held since as well."""
    residence = a_file(VILLAGE)["residence"]
    chosen = str(new_id())

    async def send(caller, said):
        body = {**said, "residence": {**residence, **said.get("residence", {})}}
        return await open_file(caller, id=chosen, **body)

    opened = await send(director, first)
    assert opened.status_code == 201, opened.text
    for said in ({"sent_at": 2}, {}, {"sent_at": 2}):
        again = await send(director, said)
        assert (again.status_code, again.json()["id"]) == (200, chosen), again.text
    other = await send(director, {"sent_at": 2, "residence": {"address": "村西"}})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/file-differs")
    then = await a_new_post(
        database, settings, director, "village_director", OTHER_TOWNSHIP_VILLAGE, LEFT_ON
    )
    again = await send(then, {"sent_at": 3})
    assert (again.status_code, again.json()["id"]) == (200, chosen), again.text
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    read = await client.get(f"/v1/children/{chosen}", headers=township.headers)
    kept = read.json()["as_sent"]
    assert sorted(said for name, said in kept.items() if name.startswith("sent_at")) == (
        [1, 2, 3] if "sent_at" in first else [2, 3]
    )
    assert ("residence.gps" in kept) is ("residence" in first)


@pytest.mark.parametrize("said", ["G-123", 17, {"a": 1}])
async def test_an_id_that_is_none_names_the_file_all_the_same(
    open_file, client, director, database, settings, said
) -> None:
    """Evidence is never refused for its dress: it is kept as sent, and as its client's own
    reference finds the file again, also for what is sent of the child.
    """
    first, again = [await open_file(director, id=said) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert first.json() == again.json()
    assert first.json()["as_sent"] == {"id": said}
    body = {**a_visit(str(new_id())), "child_id": said}
    visit = await client.post("/v1/visits", json=body, headers=director.headers)
    assert (visit.status_code, visit.json().get("child_id")) == (201, first.json()["id"])
    neighbour = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
    other = {**a_file(VILLAGE)["identity"], "name": "样小七", "resident_id": None}
    theirs = await open_file(neighbour, OTHER_COUNTY_VILLAGE, id=said, identity=other, education={})
    assert theirs.status_code == 201, theirs.text
    assert theirs.json()["id"] != first.json()["id"]
    refused = await open_file(director, id=[said])  # the same child under another
    assert refused.status_code == 409
    visit = await client.post(
        "/v1/visits",
        json={**body, "id": str(new_id()), "child_id": [said]},
        headers=director.headers,
    )
    assert (visit.status_code, visit.json().get("child_id")) == (201, first.json()["id"])


WRONG = RESIDENT_ID[:-1] + "0"
IDENTITY: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]] = [
    *(
        ({"resident_id": said}, {"resident_id": None}, {"identity.resident_id": said})
        for said in (WRONG, "123", "不详", with_check_digit("12000020160302900"))
    ),
    ({"sex": "男"}, {"sex": "male", "resident_id": None}, {"identity.resident_id": RESIDENT_ID}),
    (
        {"sex": "男", "birth_date": "2016-03-02"},
        {"sex": "male", "resident_id": None},
        {"identity.resident_id": RESIDENT_ID},
    ),
    (
        {"no_resident_id_reason": "not_issued"},
        {"resident_id": RESIDENT_ID, "no_resident_id_reason": None},
        {"identity.no_resident_id_reason": "not_issued"},
    ),
    *(({"sex": said}, {"sex": "female"}, None) for said in ("女", "F", "2", 2, "Female ")),
    ({"sex": "不明"}, {"sex": "female"}, {"identity.sex": "不明"}),
    (
        {"sex": "不明", "resident_id": WRONG},
        {"sex": "unknown", "resident_id": None},
        {"identity.resident_id": WRONG, "identity.sex": "不明"},
    ),
    *(
        ({"birth_date": said, "resident_id": None}, {"birth_date": "2016-03-01"}, None)
        for said in ("2016/3/1", "20160301", 20160301, "2016年3月1日", "2016-03-01T00:00:00+08:00")
    ),
    ({"birth_date": "春天"}, {"birth_date": "2016-03-01"}, {"identity.birth_date": "春天"}),
]


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize(("said", "read", "as_sent"), IDENTITY, ids=lambda each: str(each)[:60])
async def test_no_dress_of_who_it_is_keeps_a_file_out(
    open_file, database, director, offline, said, read, as_sent
) -> None:
    """What reads in one way only is read so; a wrong number is told, and nobody's number."""
    body = {**_with("identity", **said), **({"id": str(new_id())} if offline else {})}
    opened = await open_file(director, **body)
    assert opened.status_code == 201, opened.text
    shown = opened.json()
    assert ({name: shown["identity"][name] for name in read}, shown["as_sent"]) == (read, as_sent)
    async with database.begin(SYSTEM) as tx:
        numbers = await tx.connection.fetchval("SELECT count(*) FROM resident_ids")
    assert numbers == (shown["identity"]["resident_id"] is not None)
    if offline:
        again = await open_file(director, **body)
        assert (again.status_code, again.json()) == (200, shown)


@pytest.mark.parametrize("kind", ["unknown", "hospital", "closed"])
async def test_a_school_that_is_none_keeps_no_file_out(
    open_file, client, database, director, kind
) -> None:
    school = new_id()
    if kind != "unknown":
        school = await an_agency(database, "school" if kind == "closed" else kind, VILLAGE)
    if kind == "closed":
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", school)
    chosen, said = str(new_id()), _with("education", school_id=str(school))
    opened = await open_file(director, id=chosen, **said)
    assert opened.status_code == 201, opened.text
    assert opened.json()["education"]["school_id"] is None
    assert opened.json()["as_sent"] == {"education.school_id": str(school)}
    other = await open_file(director, id=chosen, **_with("education", school_id=str(new_id())))
    assert (other.status_code, other.json()["type"]) == (409, "/problems/file-differs")


async def test_what_was_ahead_is_known_again_when_its_day_has_come(
    open_file, database, settings, director, now
) -> None:
    chosen, said = str(new_id()), _with("residence", since=AHEAD)
    assert (await open_file(director, id=chosen, **said)).status_code == 201
    database.clock = lambda: now.replace(day=25)
    again = await open_file(renewed(database, settings, director), id=chosen, **said)
    assert (again.status_code, again.json()["as_sent"]) == (200, {"residence.since": AHEAD})


async def test_it_is_shown_by_section_like_the_file(
    open_file, client, database, settings, director
) -> None:
    school = await an_agency(database, "school", VILLAGE)
    teacher = await a_caller(database, settings, "school", VILLAGE, agency_id=school)
    assert "health" not in roles()["school"].reads
    chosen = str(new_id())
    said = {
        **_with("education", school_id=str(school), since=AHEAD),
        **_with("health", mood="低落"),
        "father_phone": "138 0000 0000",
    }
    opened = await open_file(director, id=chosen, **said)
    assert opened.json()["as_sent"].keys() == {
        "education.since",
        "health.mood",
        "father_phone",
    }
    read = await client.get(f"/v1/children/{chosen}", headers=teacher.headers)
    assert read.json()["as_sent"] == {"education.since": AHEAD}


async def test_what_was_sent_is_not_readable_in_the_database(open_file, database, director) -> None:
    await open_file(director, id=str(new_id()), **_with("education", status="在外打工"))
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT c::text AS all FROM children c")
    assert "在外打工" not in readable(row["all"])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (_with("identity", birth_date=AHEAD, resident_id=None), "date_in_future"),
        (_with("identity", name=""), "missing"),
        (_with("identity", birth_date="春天", resident_id="不详"), "date_format"),
        (_with("residence", region_code="120119101299"), "region_unknown"),
        (_with("residence", region_code="渔阳镇政府所在地"), "string_pattern_mismatch"),
    ],
)
async def test_without_who_it_is_and_where_it_lives_there_is_no_file(
    open_file, director, said, code
) -> None:
    answer = await open_file(director, id=str(new_id()), **said)
    assert answer.status_code == 422, answer.text
    assert code in {error["code"] for error in answer.json()["errors"]}


async def test_whoever_sits_before_it_is_told_what_to_mend(open_file, director) -> None:
    for said in (_with("residence", since=AHEAD), {"app_version": "3.2"}):
        assert (await open_file(director, **said)).status_code == 422


@pytest.mark.parametrize(
    ("recorded_at", "told"),
    [("2026-11-18T23:59:59+08:00", False), ("2026-11-20T08:00:00+08:00", True)],
)
async def test_a_clock_that_contradicts_the_post_is_told(
    open_file, client, database, settings, director, township, recorded_at, told
) -> None:
    transferred = await a_new_post(
        database, settings, director, "village_director", OTHER_TOWNSHIP_VILLAGE, LEFT_ON
    )
    chosen = str(new_id())
    opened = await open_file(transferred, id=chosen, recorded_at=recorded_at)
    assert opened.status_code == 201, opened.text
    read = await client.get(f"/v1/children/{chosen}", headers=township.headers)
    for shown in (opened, read):
        assert ("recorded_at" in (shown.json()["as_sent"] or {})) is told
    again = await open_file(transferred, id=chosen, recorded_at=recorded_at)
    assert (again.status_code, again.json()) == (200, opened.json())


async def test_what_was_referred_is_opened_with_what_was_sent_beside_it(
    open_file, client, database, settings, director
) -> None:
    """Its number is on a file elsewhere; both offices say that these are two children."""
    offices = await the_offices(database, settings)
    there = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
    theirs = await a_caller(database, settings, "civil_affairs", 120118000000)
    assert (await open_file(there, OTHER_COUNTY_VILLAGE)).status_code == 201
    chosen, said = str(new_id()), _with("guardianship", since=AHEAD)
    referred = await open_file(director, id=chosen, **said)
    assert referred.status_code == 202, referred.text
    await run_jobs(database)
    for office in (offices.county, theirs):
        [asked] = (await client.get("/v1/unresolved", headers=office.headers)).json()["items"]
        answer = await client.post(
            f"/v1/unresolved/{asked['id']}/answer",
            json={"answer": "another_child", "words": "不是同一人"},
            headers={**office.headers, "if-match": f'"{asked["version"]}"'},
        )
        assert answer.status_code == 200, answer.text
    read = await client.get(f"/v1/children/{chosen}", headers=director.headers)
    assert read.json()["as_sent"] == {"guardianship.since": AHEAD}
    again = await open_file(director, id=chosen, **said)
    assert (again.status_code, again.json()["id"]) == (200, chosen)


@pytest.mark.parametrize(
    ("address", "code"), [("\ud83d", "json_lone_surrogate"), ("\x00", "json_nul_character")]
)
async def test_who_sits_before_it_is_told_of_text_that_cannot_be_kept(
    open_file, director, address, code
) -> None:
    answer = await open_file(director, **_with("residence", address=address))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


async def test_a_name_with_half_an_emoji_opens_a_file_and_says_so(open_file, director) -> None:
    identity = {**a_file(VILLAGE)["identity"], "name": "测一\ud83d"}
    opened = await open_file(director, id=str(new_id()), identity=identity)
    assert opened.status_code == 201, opened.text
    assert opened.json()["identity"]["name"] == "测一\ufffd"
    assert opened.json()["as_sent"] == {"identity.name": "U+D83D"}


async def test_what_a_person_has_put_right_is_unread_no_more(open_file, client, director) -> None:
    """It stands in the history; what nobody has said anew stays told."""
    said = _with("residence", since=AHEAD, lives_with=["alone", "狗"])
    opened = await open_file(director, id=str(new_id()), **said)
    url = f"/v1/children/{opened.json()['id']}"
    headers = {**director.headers, "if-match": opened.headers["etag"]}
    right = {"residence": {"since": "2026-11-01"}}
    changed = await client.patch(url, json=right, headers=headers)
    assert changed.status_code == 200, changed.text
    assert changed.json()["as_sent"] == {"residence.lives_with.1": "狗"}
    assert (await client.get(url, headers=director.headers)).json() == changed.json()
    kept = await client.get(f"{url}/history", headers=director.headers)
    [change] = kept.json()["items"][0]["changes"]
    assert change["as_sent"] == {"residence.since": AHEAD}


async def test_a_hardship_that_is_nothing_without_its_day_goes_aside_whole(
    open_file, client, director
) -> None:
    hardship = {"kind": "other", "since": "2383-12-27", "review_on": "2026-12-01"}
    sent = {"id": str(new_id()), "recorded_at": "2026-11-20T09:00:00+08:00"}
    opened = await open_file(director, **sent, **_with("welfare", hardships=[hardship]))
    assert opened.status_code == 201, opened.text
    assert opened.json()["as_sent"] == {"welfare.hardships": [hardship]}
    read = await client.get(f"/v1/children/{sent['id']}", headers=director.headers)
    assert read.json()["as_sent"] == {"welfare.hardships": [hardship]}
