"""What a report says that cannot be followed never refuses it: kept as sent, and told."""

import json
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from tests.children.factories import a_child
from tests.police_reports.factories import (
    CANARY,
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    filed,
    police_at,
    rows,
    the_offices,
    who_reported,
)

URL = "/v1/police-reports"


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def test_child_out_of_sight_is_a_claim(client, database, offices) -> None:
    child = await a_child(database, 120119102200, name="测三")
    named = (str(child.id), str(uuid4()))
    unseen, unknown = [
        await filed(client, offices.school, child_id=child_id, subject=None) for child_id in named
    ]
    stored = {str(row["id"]): row for row in await rows(database, "police_reports")}
    assert (stored[unseen]["child_id"], stored[unknown]["child_id"]) == (child.id, None)
    for report_id, child_id in zip((unseen, unknown), named, strict=True):
        assert stored[report_id]["region_code"] == VILLAGE
        told = (await client.get(f"{URL}/{report_id}", headers=offices.school.headers)).json()
        assert (told["child_id"], told["doubts"]) == (None, ["child_unconfirmed"])
        read = (await client.get(f"{URL}/{report_id}", headers=offices.police.headers)).json()
        assert read["child_id"] == (child_id if report_id == unseen else None)
        assert read["as_sent"]["child_id"] == child_id
        assert read["subject"]["name"] is None


async def test_a_child_out_of_sight_does_not_tell_where_it_lives(client, database, offices) -> None:
    child = await a_child(database, 120119102200)
    report_id = await filed(client, offices.school, child_id=str(child.id), region_code=None)
    read = (await client.get(f"{URL}/{report_id}", headers=offices.school.headers)).json()
    assert read["region_code"] == str(TOWNSHIP)
    assert read["doubts"] == ["place_unknown", "child_unconfirmed"]


@pytest.mark.parametrize(
    "phone",
    [
        *("022 2959 0000", "(022)29590000", "022－29590000", "138 0000 0000"),
        *("022-29590000转8", "110", "无", "138 0000 0000 / 139 0000 0000 (爷爷)"),
    ],
)
async def test_a_phone_number_is_taken_as_it_is(client, offices, phone) -> None:
    report_id = await filed(client, offices.school, reporter={"phone": phone})
    read = await who_reported(client, offices.police, report_id)
    assert (read.json()["phone"], read.json()["name"]) == (phone, None)


@pytest.mark.parametrize(
    ("change", "doubts", "stored", "as_sent"),
    [
        ({"found_at": "2026-11-20T10:10:00+08:00"}, ["found_at_ahead"], {}, None),
        ({"found_at": "2026-11-21T12:00:00+08:00"}, ["found_at_ahead"], {}, None),
        ({"found_at": None}, [], {}, None),
        ({"region_code": "１２０１１９１０１２００"}, [], {"region_code": VILLAGE}, None),
        ({"region_code": "120119"}, [], {"region_code": COUNTY}, None),
        ({"region_code": "12"}, [], {"region_code": 120000000000}, None),
        *(
            (
                {"region_code": sent},
                ["place_unknown"],
                {"region_code": place},
                {"region_code": sent},
            )
            for sent, place in {
                "120119101999": TOWNSHIP,
                "120119999999": COUNTY,
                "120225000000": 120000000000,
                "999999999999": TOWNSHIP,
                "1201191012000001": VILLAGE,
                "蓟州区出头岭镇": TOWNSHIP,
            }.items()
        ),
        (
            {"situations": ["nonsense", " LIVING_ALONE ", "失踪"]},
            ["situation_unknown"],
            {"situations": ["living_alone", "missing"]},
            {"situations": ["nonsense"]},
        ),
        (
            {"situations": ["被人打"]},
            ["situation_unknown"],
            {"situations": []},
            {"situations": ["被人打"]},
        ),
        (
            {"suspect_agency_id": str(UUID(int=7))},
            ["agency_unknown"],
            {"suspect_agency_id": None},
            {"suspect_agency_id": str(UUID(int=7))},
        ),
        (
            {"suspect_agency_id": "蓟州一中"},
            ["agency_unknown"],
            {"suspect_agency_id": None},
            {"suspect_agency_id": "蓟州一中"},
        ),
        ({"subject": {"approximate_age": 19}}, [], {}, None),
    ],
)
async def test_what_cannot_be_followed_is_kept_as_sent(
    client, database, offices, change, doubts, stored, as_sent
) -> None:
    await police_at(database, 120000000000)
    answer = await client.post(URL, json=a_report(**change), headers=offices.school.headers)
    assert (answer.status_code, answer.json().get("routing")) == (201, "routed"), answer.text
    assert answer.json()["doubts"] == doubts
    [report] = await rows(database, "police_reports")
    assert {name: report[name] for name in stored} == stored
    # A school that may be meant itself does not read it.
    reads = offices.police if "suspect_agency_id" in change else offices.school
    read = await client.get(answer.headers["location"], headers=reads.headers)
    told = read.json()["as_sent"]
    assert (told and {name: sent for name, sent in told.items() if sent}) == as_sent
    assert read.json()["doubts"] == doubts
    if given := change.get("found_at"):
        assert datetime.fromisoformat(read.json()["found_at"]) == datetime.fromisoformat(given)


@pytest.mark.parametrize(
    ("change", "field", "kept"),
    [
        ({"subject": {"sex": "男", "name": "测二"}}, "subject.sex", "男"),
        ({"subject": {"approximate_age": "八九岁"}}, "subject.approximate_age", "八九岁"),
        ({"subject": {"birth_date": "2016-02-30"}}, "subject.birth_date", "2016-02-30"),
        ({"urgency": "紧急"}, "urgency", "紧急"),
        ({"channel": "hotline"}, "channel", "hotline"),
        ({"child_id": "不知道"}, "child_id", "不知道"),
        ({"visit_id": "7"}, "visit_id", "7"),
        ({"found_at": "昨晚"}, "found_at", "昨晚"),
        ({"found_at": "2026-11-20"}, "found_at", "2026-11-20"),
        ({"subject": {"天气": "雨"}}, "subject.天气", "雨"),
    ],
)
async def test_what_cannot_be_read_is_set_aside_as_sent(
    client, offices, change, field, kept
) -> None:
    """Only narrative, place and situation may be required; all else is kept and marked."""
    answer = await client.post(URL, json=a_report(**change), headers=offices.school.headers)
    assert (answer.status_code, answer.json()["doubts"]) == (201, ["field_unread"]), answer.text
    read = await client.get(answer.headers["location"], headers=offices.police.headers)
    assert read.json()["as_sent"]["unread"] == {field: kept}
    again = await client.post(URL, json=a_report(**change), headers=offices.school.headers)
    assert again.status_code == 201


LONG = "孩子身上有伤," * 40


@pytest.mark.parametrize(
    ("situations", "known", "others", "unread"),
    [
        (["living_alone", ""], ["living_alone"], None, [""]),
        ([None, "living_alone"], ["living_alone"], None, [None]),
        ("living_alone", ["living_alone"], None, None),
        (["living_alone"] * 15, ["living_alone"], None, None),
        ([*(f"伤{n}" for n in range(14)), "missing"], ["missing"], 14, ["missing"]),
        ([LONG], [], [LONG[:200]], [LONG]),
        ([{"code": "missing"}], [], ['{"code":"missing"}'], [{"code": "missing"}]),
        (["living\x00alone"], [], ["living\ufffdalone"], "U+0000"),
        (7, [], ["7"], None),
    ],
)
async def test_a_situation_that_cannot_be_read_refuses_nothing(
    client, offices, situations, known, others, unread
) -> None:
    """Only that something was said may be required; the rest is kept as sent, and marked."""
    body = a_report(id=str(uuid4()), situations=situations)
    answer = await client.post(URL, json=body, headers=offices.school.headers)
    assert answer.status_code == 201, answer.text
    read = (await client.get(answer.headers["location"], headers=offices.police.headers)).json()
    assert read["situations"] == known
    told = read["as_sent"] or {"situations": None, "unread": None}
    kept = told["situations"]
    assert (len(kept) if isinstance(others, int) else kept) == others
    assert (told["unread"] or {}).get("situations") == unread
    assert ("field_unread" in read["doubts"]) == (unread is not None)
    assert ("situation_unknown" in read["doubts"]) == (others is not None)
    again = await client.post(URL, json=body, headers=offices.school.headers)
    assert (again.status_code, again.json()) == (200, answer.json())


@pytest.mark.parametrize("situations", [[], [""], [None], None, ""])
async def test_nothing_at_all_is_no_situation(client, offices, situations) -> None:
    body = a_report(situations=situations)
    answer = await client.post(URL, json=body, headers=offices.school.headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("#/situations")


@pytest.mark.parametrize(
    ("said", "words", "apart"),
    [
        (7, "7", None),
        (["孩子有伤。", "三天了。"], "孩子有伤。\n三天了。", None),
        (
            {"经过": [{"看到": "有伤", "举报人电话": CANARY}]},
            '{"经过":[{"看到":"有伤"}]}',
            {"narrative.经过.0.举报人电话": CANARY},
        ),
    ],
)
async def test_a_narrative_of_any_kind_is_kept_in_words(client, offices, said, words, apart):
    """What in it may say who reports is read by the police in charge alone (AZ-9)."""
    report_id = await filed(client, offices.school, narrative=said, reporter=None)
    read = await client.get(f"{URL}/{report_id}", headers=offices.county.headers)
    assert read.json()["narrative"] == words
    assert CANARY not in read.text
    kept = await who_reported(client, offices.police, report_id)
    assert kept.json().get("as_sent") == apart


@pytest.mark.parametrize(
    ("name", "ours"),
    [("situation", "situations"), ("narratives", "narrative"), ("regionCode", "region_code")],
)
async def test_a_field_plainly_misspelt_is_read_as_ours(client, offices, name, ours) -> None:
    body = a_report()
    body[name] = body.pop(ours)
    answer = await client.post(URL, json=body, headers=offices.school.headers)
    assert answer.status_code == 201, answer.text
    place = answer.headers["location"]
    read = (await client.get(place, headers=offices.police.headers)).json()
    assert read[ours] == body[name]
    kept = await who_reported(client, offices.police, place)
    assert kept.json()["as_sent"] == {name: body[name]}


async def test_a_narrative_is_as_long_as_it_takes(client, offices) -> None:
    told = "孩" * 300_000  # what a body holds
    report_id = await filed(client, offices.school, narrative=told)
    read = (await client.get(f"{URL}/{report_id}", headers=offices.police.headers)).json()
    assert (read["narrative"], read["doubts"]) == (told, [])
    longer = a_report(narrative="孩" * 400_000)
    refused = await client.post(URL, json=longer, headers=offices.school.headers)
    assert refused.status_code == 413


@pytest.mark.parametrize(
    ("said", "mark"), [("\x00", "U+0000"), ("\ud83d", "U+D83D")], ids=["NUL", "half a character"]
)
async def test_what_cannot_be_stored_is_replaced_and_marked(client, offices, said, mark) -> None:
    body = a_report(
        narrative=f"孩子{said}独自在家。",
        subject={"name": f"测{said}二"},
        reporter={"name": CANARY, "phone": f"022{said}110"},
    )
    body[f"天气{said}"] = said
    sent = {"content": json.dumps(body), "headers": offices.school.headers}
    sent["headers"] |= {"content-type": "application/json"}
    answer = await client.post(URL, **sent)
    assert (answer.status_code, answer.json()["doubts"]) == (201, ["field_unread"]), answer.text
    place = answer.headers["location"]
    read = (await client.get(place, headers=offices.police.headers)).json()
    assert read["narrative"] == "孩子\ufffd独自在家。"
    assert read["subject"]["name"] == "测\ufffd二"
    marks = {"narrative": mark, "subject.name": mark}
    assert read["as_sent"]["unread"] == marks
    who = (await who_reported(client, offices.police, place)).json()
    assert who["phone"] == "022\ufffd110"
    assert who["as_sent"] == {"reporter.phone": mark, "天气\ufffd": "\ufffd"}
    corrected = await client.post(f"{place}/supersession", **sent)
    assert corrected.status_code == 201, corrected.text


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ('"found_at": NaN', {"found_at": "nan"}),
        ('"found_at": 1e999', {"found_at": "inf"}),
        (f'"urgency": {2**70}', {"urgency": str(2**70)}),
        ('"urgency": "slow", "urgency": "urgent"', {"urgency (1)": "slow"}),
        (f'"channel": {"[" * 40}{"]" * 40}', {}),
    ],
)
async def test_nothing_beside_it_that_is_no_json_of_ours_refuses_it(
    client, offices, beside, told
) -> None:
    """It is a claim, kept as sent, whatever a database or a parser makes of it."""
    body = a_report(id=str(uuid4()))
    plain = json.dumps({name: said for name, said in body.items() if f'"{name}"' not in beside})
    sent = {"content": f"{plain[:-1]}, {beside}}}", "headers": dict(offices.school.headers)}
    sent["headers"] |= {"content-type": "application/json"}
    answer = await client.post(URL, **sent)
    assert (answer.status_code, answer.json()["doubts"]) == (201, ["field_unread"]), answer.text
    place = answer.headers["location"]
    read = (await client.get(place, headers=offices.police.headers)).json()
    who = (await who_reported(client, offices.police, place)).json()
    kept = {**((read["as_sent"] or {}).get("unread") or {}), **(who["as_sent"] or {})}
    assert told.items() <= kept.items()
    assert kept
    again = await client.post(URL, **sent)
    assert (again.status_code, again.json()) == (200, answer.json())


@pytest.mark.parametrize("phone", ["", 13800000000, "022 2959\t0000", "家\n022", ["110"]])
async def test_what_is_said_of_who_reports_is_kept_apart_however_it_looks(
    client, database, offices, phone
) -> None:
    body = a_report(reporter={"name": CANARY, "phone": phone})
    answer = await client.post(URL, json=body, headers=offices.school.headers)
    assert answer.status_code == 201, answer.text
    who = await who_reported(client, offices.police, answer.headers["location"])
    shown = who.json()
    assert shown["name"] == CANARY
    assert str(phone) == shown["phone"] or shown["as_sent"] == {"reporter.phone": phone}
    read = await client.get(answer.headers["location"], headers=offices.township.headers)
    assert "reporter" not in str(read.json()["as_sent"])


async def test_a_child_nobody_says_anything_of(client, offices) -> None:
    answer = await client.post(URL, json=a_report(subject=None), headers=offices.school.headers)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "stated", ["120119 101 200", "120119-101-200", "１２０１１９·１０１·２００"]
)
async def test_a_code_in_any_dress_is_that_place(client, offices, stated) -> None:
    body = a_report(region_code=stated)
    answer = await client.post(URL, json=body, headers=offices.school.headers)
    read = await client.get(answer.headers["location"], headers=offices.school.headers)
    assert (read.json()["region_code"], read.json()["doubts"]) == (str(VILLAGE), [])


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"region_code": None}, "#/region_code", "region_missing"),
    ],
)
async def test_a_report_is_about_somebody_somewhere(
    client, database, offices, change, pointer, code
) -> None:
    answer = await client.post(URL, json=a_report(**change), headers=offices.school.headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "/problems/report-invalid"
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    for table in ("police_reports", "police_reporters", "events", "webhook_deliveries"):
        assert await rows(database, table) == [], table
