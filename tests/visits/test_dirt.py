"""Evidence is never refused for what it points at: nothing beside a finding refuses a visit."""

import json
from typing import Any
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller, renewed
from tests.jobs import told
from tests.printed import readable
from tests.visits.factories import a_visit, something_wrong

HARM = something_wrong(type="domestic_violence")
LATER = "2026-11-20"
"""Today, by the tests' clock."""


async def _record(client, caller, body: Any):
    """As it is on the wire: half an emoji is no text that could be encoded."""
    headers = {**caller.headers, "content-type": "application/json"}
    return await client.post("/v1/visits", content=json.dumps(body).encode(), headers=headers)


@pytest.mark.parametrize(
    ("beside", "kept"),
    [
        ('"app": NaN', {"app": "nan"}),
        (f'"app": {2**70}', {"app": str(2**70)}),
        ('"place": "school", "place": "home"', {"characters": {"place (1)": "school"}}),
        (f'"app": {"[" * 40}{"]" * 40}', {"characters": {"app": "json_too_deep"}}),
    ],
)
async def test_no_json_of_ours_beside_a_finding_refuses_it(
    client, database, director, child, beside, kept
) -> None:
    body = a_visit(child.id, findings=[HARM])
    body.pop("place", None)
    sent = f"{json.dumps(body)[:-1]}, {beside}}}".encode()
    headers = {**director.headers, "content-type": "application/json"}
    answer = await client.post("/v1/visits", content=sent, headers=headers)
    assert (answer.status_code, answer.json()["doubts"]) == (201, ["field_unread"]), answer.text
    said = answer.json()["as_sent"]
    for name, each in kept.items():
        assert (
            (each.items() <= said[name].items()) if isinstance(each, dict) else said[name] == each
        )
    assert await _types(database) == ["domestic_violence"]
    again = await client.post("/v1/visits", content=sent, headers=headers)
    assert (again.status_code, again.json()) == (200, answer.json())


async def _types(database) -> list[str]:
    said = await told(database, "visits.abnormal_finding")
    return [kind for row in said for kind in row["data"]["types"]]


NORMAL: list[dict[str, Any]] = [
    {"domain": "other", "abnormal": False, "type": None, "refer_to": [], "note": str(number)}
    for number in range(200)
]
DIRT: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"visited_on": "0001-01-01"}, {"visited_on": LATER}, ["field_unread"]),
    ({"visited_on": "9999-12-31"}, {"visited_on": LATER}, ["field_unread"]),
    ({"visited_on": "1899-12-31"}, {"visited_on": LATER}, ["field_unread"]),
    ({"visited_on": "2026-02-30"}, {"visited_on": LATER}, ["field_unread"]),
    ({"visited_on": 2026111}, {"visited_on": LATER}, ["field_unread"]),
    ({"visited_on": "30/9/2026"}, {"visited_on": LATER}, ["field_unread"]),
    *(
        ({"visited_on": said}, {"visited_on": "2026-09-30"}, ["field_unread"])
        for said in ("2026年9月30日", "2026/09/30", "20260930", 20260930, "2026-9-30", "2026.9.30")
    ),
    ({"visited_on": None}, {"visited_on": LATER}, ["field_unread"]),
    ({"visited_on": "2026-11-18T00:00:00+08:00"}, {"visited_on": "2026-11-18"}, ["field_unread"]),
    ({"visited_on": "2026-11-17T16:00:00Z"}, {"visited_on": "2026-11-18"}, ["field_unread"]),
    *(
        ({name: said}, {name: None}, ["field_unread"])
        for name in ("started_at", "recorded_at")
        for said in (
            "2026-11-18T08:00:00",
            "2026-11-18T08:00:00+0800",
            "0000-00-00T00:00:00Z",
            "2026-11-18T08:00+08:00",
            "2026-11-18T08:00:61+08:00",
            1763424000,
        )
    ),
    ({"recorded_at": "2199-01-01T00:00:00Z"}, {}, ["recorded_ahead"]),
    ({"recorded_at": "1970-01-01T00:00:00Z"}, {}, ["recorded_before"]),
    (
        {"policies_explained": ["child_welfare", "tax_law"]},
        {"policies_explained": ["child_welfare"]},
        ["field_unread"],
    ),
    ({"guardian_present": "yes"}, {"guardian_present": None}, ["field_unread"]),
    ({"visitor_type": "stranger"}, {"visitor_type": "other"}, ["field_unread"]),
    ({"channel": "wechat"}, {"channel": "other"}, ["field_unread"]),
    ({"place": "市场"}, {"place": "other"}, ["field_unread"]),
    ({"note": ""}, {"note": None}, []),
    ({"note": "长" * 4001}, {"note": "长" * 4001}, []),
    ({"note": "有伤\ud83d"}, {"note": "有伤\ufffd"}, ["field_unread"]),
    ({"note": "有\x00伤"}, {"note": "有\ufffd伤"}, ["field_unread"]),
    ({"app_version": "3.2"}, {}, ["field_unread"]),
    ({"findings": [HARM] * 31}, {}, []),
    ({"findings": [HARM] * 201}, {"findings": [HARM]}, ["field_unread"]),
    ({"findings": [*NORMAL, HARM]}, {"findings": [HARM, *NORMAL[:199]]}, ["field_unread"]),
]


@pytest.mark.parametrize(("said", "read", "doubts"), DIRT, ids=lambda each: str(each)[:60])
async def test_the_finding_is_kept_whatever_stands_beside_it(
    client, database, director, child, said, read, doubts
) -> None:
    body = {**a_visit(child.id, findings=[HARM]), **said}
    answer = await _record(client, director, body)
    assert answer.status_code == 201, answer.text
    visit = answer.json()
    assert (visit["abnormal"], {name: visit[name] for name in read}) == (True, read)
    assert visit["doubts"] == doubts
    (name,) = said
    if doubts == ["field_unread"] and name != "note":
        assert visit["as_sent"] == said
    assert set(await _types(database)) == {"domestic_violence"}
    again = await _record(client, director, body)
    assert (again.status_code, again.json()) == (200, visit)
    shown = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
    assert shown.json() == visit


@pytest.mark.parametrize(
    ("finding", "read", "types"),
    [
        ({"type": "sexual_abuse"}, {"type": "other"}, ["other"]),
        ({"type": None}, {"type": "other"}, ["other"]),
        ({"refer_to": ["procuratorate", "police"]}, {"refer_to": ["police"]}, None),
        ({"note": ""}, {"note": None}, None),
        ({"note": "长" * 4001}, {"note": "长" * 4001}, None),
        ({"note": ["青", "肿"]}, {"note": '["青","肿"]'}, None),
        ({"domain": "伤"}, {"domain": "other"}, None),
        ({"abnormal": "是"}, {"abnormal": True}, None),
        ({"abnormal": False}, {"abnormal": True}, None),
        ({"abnormal": "no", "type": None}, {"abnormal": False, "type": None}, []),
        ({"severity": 9}, {}, None),
        ({"type": {"zh": "性侵"}}, {"type": "other"}, ["other"]),
    ],
)
async def test_a_finding_is_read_as_far_as_it_can_be(
    client, database, director, child, finding, read, types
) -> None:
    said = {**HARM, **finding}
    body = a_visit(child.id, findings=[said])
    answer = await _record(client, director, body)
    assert answer.status_code == 201, answer.text
    [kept] = answer.json()["findings"]
    assert {name: kept[name] for name in read} == read
    long = "长" * 4001 in kept["note"] if kept["note"] else False
    assert answer.json()["as_sent"] == (None if long else {"findings": [said]})
    assert await _types(database) == (["domestic_violence"] if types is None else types)
    assert (await _record(client, director, body)).json() == answer.json()


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"finding": [HARM]}, {"findings": [HARM]}),
        ({"findings": [], "findingss": [HARM]}, {"findings": [HARM]}),
        ({"Findings": [HARM]}, {"findings": [HARM]}),
        ({"visit_on": "2026-11-17"}, {"visited_on": "2026-11-17"}),
        ({"visitedOn": "2026/11/17"}, {"visited_on": "2026-11-17"}),
        ({"visited-on": "2026-11-17"}, {"visited_on": "2026-11-17"}),
        ({"notes": "平安"}, {"note": "平安"}),
        ({"note": "平安", "notes": "有事"}, {"note": "平安"}),
        ({"seen_on": "2026-11-17"}, {"visited_on": LATER}),
    ],
)
async def test_a_field_plainly_misspelt_is_read_as_ours(client, director, child, said, read):
    """Only one of ours that says nothing itself; what was sent stays under its own name."""
    body = {**a_visit(child.id), **said}
    for name in read.keys() - said.keys():
        body.pop(name, None)
    answer = await _record(client, director, body)
    assert answer.status_code == 201, answer.text
    for name, each in read.items():
        shown = answer.json()[name]
        assert [one["type"] for one in shown] == [HARM["type"]] if name == "findings" else each
        assert name == "findings" or shown == each
    unknown = {name: each for name, each in said.items() if name not in read}
    assert unknown.items() <= answer.json()["as_sent"].items()
    assert (await _record(client, director, body)).json() == answer.json()


@pytest.mark.parametrize(
    ("said", "types"),
    [
        ({"checklist": {"domestic_violence": True, "dropout": False}}, ["domestic_violence"]),
        ({"异常": "疑似家暴"}, ["domestic_violence"]),
        ({"异常": "被父母遗弃,无人监护"}, ["abandoned"]),
        ({"problem": ["No-Hukou", "辍学"]}, ["other"]),
        ({"findings": [{**HARM, "abnormal": False, "type": None, "kind": "ill"}]}, ["ill"]),
        ({"checklist": {"missing": "否", "ill": 0}, "app": "skill"}, []),
    ],
)
async def test_what_speaks_of_harm_unread_is_abnormal_until_somebody_looked(
    client, database, director, child, said, types
) -> None:
    body = {**a_visit(child.id), **said}
    answer = await _record(client, director, body)
    assert (answer.status_code, answer.json()["abnormal"]) == (201, bool(types)), answer.text
    assert await _types(database) == types
    assert said.items() <= answer.json()["as_sent"].items()
    assert (await _record(client, director, body)).json() == answer.json()
    if types:  # two people dismiss it (tests/visits/test_findings_stay.py), no correction
        headers = {**director.headers, "if-match": answer.headers["etag"]}
        url, nothing = f"/v1/visits/{body['id']}", {"findings": []}
        corrected = await client.patch(url, json=nothing, headers=headers)
        assert corrected.status_code == 409, corrected.text


@pytest.mark.parametrize("findings", [None, [], [None]])
async def test_no_findings_are_none(client, director, child, findings) -> None:
    answer = await _record(client, director, a_visit(child.id, findings=findings))
    assert (answer.status_code, answer.json()["abnormal"]) == (201, False)


async def test_words_for_a_finding_are_one(client, director, child) -> None:
    answer = await _record(client, director, a_visit(child.id, findings="孩子身上有伤"))
    assert (answer.status_code, answer.json()["abnormal"]) == (201, True)
    assert answer.json()["findings"][0]["note"] == "孩子身上有伤"


async def test_an_unreadable_day_is_the_day_it_was_received_also_when_sent_again_later(
    client, database, settings, director, child, now
) -> None:
    body = a_visit(child.id, visited_on="9999-12-31")
    first = await _record(client, director, body)
    database.clock = lambda: now.replace(day=25)
    again = await _record(client, renewed(database, settings, director), body)
    assert (again.status_code, again.json()["visited_on"]) == (200, first.json()["visited_on"])


async def test_what_was_sent_is_not_readable_in_the_database(
    client, database, director, child
) -> None:
    await _record(client, director, a_visit(child.id, findings=[{**HARM, "type": "性侵害"}]))
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT v::text AS all FROM visits v")
    assert "性侵害" not in readable(row["all"])


async def test_a_corrected_visit_still_says_what_could_not_be_read(client, director, child) -> None:
    body = a_visit(child.id, visited_on="2026-02-30")
    await _record(client, director, body)
    changed = await client.patch(
        f"/v1/visits/{body['id']}",
        json={"visited_on": "2026-11-17"},
        headers={**director.headers, "if-match": '"1"'},
    )
    assert changed.json()["as_sent"] == {"visited_on": "2026-02-30"}
    assert changed.json()["visited_on"] == "2026-11-17"


class TestOfAChildThatIsNoId:
    @pytest.mark.parametrize("said", ["G123", 17, {"name": "样乙"}, ""])
    async def test_it_is_asked_about_and_stored_once_somebody_knows(
        self, client, database, settings, director, child, said
    ) -> None:
        township = await a_caller(database, settings, "township_supervisor", 120119101000)
        body = {**a_visit(child.id, findings=[HARM], visited_on="0001-01-01"), "child_id": said}
        held = await _record(client, director, body)
        assert (held.status_code, held.json()["status"]) == (202, "unresolved")
        again = await _record(client, director, body)
        assert (again.status_code, again.json()) == (202, held.json())
        url = f"/v1/unresolved/{held.json()['unresolved_id']}"
        asked = await client.get(url, headers=township.headers)
        [piece] = asked.json()["evidence"]
        assert (asked.json()["abnormal"], piece["sent"]["child_id"]) == (True, said or None)
        attached = await client.post(
            f"{url}/attachment",
            json={"child_id": str(child.id), "words": "已核实"},
            headers={**township.headers, "if-match": asked.headers["etag"]},
        )
        assert attached.status_code == 200, attached.text
        read = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
        assert (read.json()["child_id"], read.json()["abnormal"]) == (str(child.id), True)
        again = await _record(client, director, body)
        assert (again.status_code, again.json()["child_id"]) == (200, str(child.id))
        back = await client.post(
            f"{url}/withdrawal",
            json={"words": "认错人"},
            headers={**township.headers, "if-match": attached.headers["etag"]},
        )
        assert back.status_code == 200, back.text
        assert (await _record(client, director, body)).status_code == 202
        async with database.begin(SYSTEM) as tx:
            assert await tx.connection.fetchval("SELECT count(*) FROM visits") == 0
            waiting = "SELECT count(*) FROM unresolved_evidence WHERE waiting"
            assert await tx.connection.fetchval(waiting) == 1

    async def test_the_same_word_is_the_same_question(self, client, director) -> None:
        asked = [
            (await _record(client, director, {**a_visit(uuid4()), "child_id": said})).json()
            for said in ("G123", "G123", "G124", None, None)
        ]
        assert asked[0] == asked[1]
        assert len({each["unresolved_id"] for each in asked}) == 4


async def test_an_id_that_is_none_is_known_again(client, director, child) -> None:
    body = {**a_visit(child.id, findings=[HARM]), "id": "v-17"}
    first, again = [await _record(client, director, body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["doubts"], first.json()["as_sent"]) == (["id_in_use"], {"id": "v-17"})
    assert again.json()["id"] == first.json()["id"]


async def test_without_an_id_it_is_evidence_and_known_again(
    client, database, settings, director, child
) -> None:
    body = a_visit(child.id, findings=[HARM])
    del body["id"]
    first = await _record(client, director, body)
    assert (first.status_code, first.json()["doubts"]) == (201, ["field_unread"]), first.text
    same, other = [
        await _record(client, director, {**body, **said})
        for said in ({"id": None}, {"place": "school"})
    ]
    assert (same.status_code, same.json()) == (200, first.json())
    township = await a_caller(database, settings, "township_supervisor", 120119101000)
    theirs = await _record(client, township, body)
    assert [each.status_code for each in (other, theirs)] == [201, 201]
    assert len({each.json()["id"] for each in (first, other, theirs)}) == 3
    assert (await _record(client, director, {"app": 1})).status_code == 422, "it says nothing"
