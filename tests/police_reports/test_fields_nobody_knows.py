"""A field nobody knows may say whom a report speaks against, and who reports."""

from uuid import UUID, uuid4

import pytest

from app.core.data.db import SYSTEM
from app.police_reports.unread import MOST_IDS, ids_in
from tests.access.factories import a_caller, an_agency
from tests.police_reports.factories import (
    CANARY,
    a_report,
    an_endpoint,
    filed,
    police_at,
    rows,
    the_offices,
    who_reported,
)
from tests.police_reports.test_chain import URL
from tests.police_reports.test_suspects import named, seen_by


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.mark.parametrize(
    "said",
    [
        lambda it: {"suspect": it},
        lambda it: {"被举报单位": {"单位": [{"编号": f"镇政府({it.upper()})"}]}},
        lambda it: {"subject": {"name": "样", "abuser": it}},
        lambda it: {"found_at": [it.replace("-", "")]},
        lambda it: {it: True},
        lambda it: {"suspects": [it, str(uuid4())]},
    ],
)
async def test_whose_id_is_written_anywhere_learns_nothing(client, database, offices, said) -> None:
    """AZ-8: "X cannot read, list, be webhooked about, or infer it"."""
    township = str(offices.township.agency_id)
    report_id = await filed(client, offices.school, **said(township))
    assert await seen_by(client, offices, report_id) == {"school", "police", "county"}
    listed = await client.get(URL, headers=offices.township.headers)
    assert listed.json()["items"] == []
    assert township not in str([each["told_to"] for each in await rows(database, "events")])
    read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
    assert read.json()["suspect_agency_id"] == township


@pytest.mark.parametrize(
    ("said", "shielded"),
    [
        (lambda it: {"suspect": it}, True),
        (lambda it: {"被举报单位": [{"名称": f" {it}　"}]}, True),
        (lambda it: {"subject": {"name": "样", "abuser": it}}, True),
        (lambda it: {"受理单位": it, "suspect": "父亲"}, False),
        (lambda it: {"suspect": f"{it}的人"}, False),
    ],
)
async def test_whose_name_stands_where_somebody_is_accused_learns_nothing(
    client, database, offices, said, shielded
) -> None:
    """AZ-8. Elsewhere a name accuses nobody: forms name there who is to receive the report."""
    async with database.begin(SYSTEM) as tx:
        name = await tx.connection.fetchval(
            "UPDATE agencies SET name = '蓟州区样镇人民政府' WHERE id = $1 RETURNING name",
            offices.township.agency_id,
        )
    report_id = await filed(client, offices.school, **said(name))
    found = await seen_by(client, offices, report_id)
    assert ("township" in found, "county" in found) == (not shielded, True)
    read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
    township = str(offices.township.agency_id)
    assert read.json()["suspect_agency_id"] == (township if shielded else None)


async def test_who_says_beside_it_who_sends_accuses_nobody(client, database, offices) -> None:
    sender = str(offices.school.agency_id)
    report_id = await filed(client, offices.school, agency_id=sender, app={"school": sender})
    found = await seen_by(client, offices, report_id)
    assert found == {"school", "police", "township", "county"}
    read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
    assert read.json()["suspect_agency_id"] is None


async def test_an_id_of_police_sends_it_to_the_next(client, database, offices) -> None:
    next_police = await police_at(database, 120119000000)
    report_id = await filed(client, offices.school, officer=str(offices.police.agency_id))
    [report] = await rows(database, "police_reports")
    assert (report["police_agency_id"], report["routing"]) == (next_police, "routed")
    assert await seen_by(client, offices, report_id) == {"school", "township", "county"}


async def test_whoever_names_all_police_hides_it_from_all_but_the_last(
    client, database, settings, offices
) -> None:
    """REP-07: there is always somebody who can take it; "kept as sent, and told in `doubts`"."""
    above = await a_caller(database, settings, "police", 120000000000)
    await an_endpoint(database, above.agency_id, 120000000000)
    both = [str(each.agency_id) for each in (above, offices.police)]
    report_id = await filed(client, offices.school, who=both)
    read = await client.get(f"{URL}/{report_id}", headers=above.headers)
    assert (read.json()["police_agency_id"], read.json()["routing"]) == (both[0], "routed")
    kept = await who_reported(client, above, report_id)
    assert kept.json()["as_sent"] == {"who": both}
    assert {"not_all_shielded", "agency_unknown"} <= {*read.json()["doubts"]}
    assert await seen_by(client, offices, report_id) == {"school", "county"}
    # Nor where it is the only one; whom a person then names, that one loses it.
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", both[1])
    alone = await filed(client, offices.school, officer=both[0])
    read = (await client.get(f"{URL}/{alone}", headers=above.headers)).json()
    assert (read["police_agency_id"], read["suspect_agency_id"]) == (both[0], None)
    assert {"not_all_shielded", "agency_unknown"} <= {*read["doubts"]}
    said = await client.post(
        f"{URL}/{alone}/suspect", json=named(above), headers=offices.county.headers
    )
    assert said.status_code == 201, said.text
    assert (await client.get(f"{URL}/{alone}", headers=above.headers)).status_code == 404


async def test_so_many_are_shielded_and_no_more_whatever_is_corrected(
    client, database, offices
) -> None:
    """The first that are written; of all others the report says that they are not."""
    crowd = [str(await an_agency(database, "hotel", 120119101000)) for _ in range(25)]
    township, village = str(offices.township.agency_id), str(offices.village.agency_id)
    first = await filed(client, offices.school, who=[township, {"also": crowd[:19]}, village])
    again = a_report(who=crowd[19:], suspect_agency_id=str(offices.county.agency_id))
    answer = await client.post(
        f"{URL}/{first}/supersession", json=again, headers=offices.school.headers
    )
    assert answer.status_code == 201, answer.text
    for report in await rows(database, "police_reports"):
        assert len(report["hidden_from"]) == 20 + 1, "the suspect that the correction names"
        assert {township, *crowd[:19]} <= {*map(str, report["hidden_from"])}
        assert "not_all_shielded" in report["doubts"]
    assert await seen_by(client, offices, first) == {"school", "police"}


def test_of_ids_without_end_the_first_are_read() -> None:
    assert len(ids_in({"x": "0123456789abcdef" * 60_000})) <= MOST_IDS
    assert ids_in([{str(UUID(int=1)): str(UUID(int=2))}, str(UUID(int=3))]) == [
        *(UUID(int=each) for each in (1, 2, 3))
    ]


async def test_of_several_it_is_not_clear_whom_and_none_learns_of_it(
    client, database, offices
) -> None:
    both = [str(offices.township.agency_id), str(offices.county.agency_id)]
    for said in ({"who": both}, {"suspect_agency_id": ", ".join(both)}):
        report_id = await filed(client, offices.school, **said)
        assert await seen_by(client, offices, report_id) == {"school", "police"}
        read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
        assert read.json()["suspect_agency_id"] is None
        assert "agency_unknown" in read.json()["doubts"]


async def test_beside_the_suspect_another_stays_shielded_whomever_the_correction_means(
    client, database, offices
) -> None:
    suspect, other = offices.village, offices.county
    beside = {"who": str(other.agency_id), "suspect_agency_id": str(suspect.agency_id)}
    first = await filed(client, offices.school, **beside)
    assert await seen_by(client, offices, first) == {"school", "police", "township"}
    again = a_report(suspect_agency_id="村委会的人")
    answer = await client.post(
        f"{URL}/{first}/supersession", json=again, headers=offices.school.headers
    )
    assert answer.status_code == 201, answer.text
    said = await client.post(
        f"{URL}/{answer.json()['id']}/suspect", json=named(suspect), headers=offices.police.headers
    )
    assert said.status_code == 201, said.text
    assert await seen_by(client, offices, first) == {"school", "police", "township"}


@pytest.mark.parametrize(
    "said",
    [
        {"reporter_name": CANARY, "reporter_phone": "13800000000"},
        {"Reporter": {"name": CANARY}},
        {"上报老师": CANARY},
        {"subject": {"name": "样", "reporter": CANARY}},
        {"subject": {"name": "样", "来源": [{"举报人": CANARY}]}},
        {"subject": {"name": "样", "Ｒeporter": CANARY}},
        {"region_code": {"REPORTED_BY": CANARY}},
        {"situations": ["living_alone", {"phone": CANARY}]},
    ],
)
async def test_who_reports_is_read_by_the_police_in_charge_alone(client, offices, said) -> None:
    """AZ-9: "Kept apart; read by the police agency in charge alone"."""
    report_id = await filed(client, offices.school, **{"reporter": None, **said})
    assert await seen_by(client, offices, report_id) >= {"school", "police", "township", "county"}
    for who in (offices.village, offices.school, offices.township, offices.county, offices.police):
        read = await client.get(f"{URL}/{report_id}", headers=who.headers)
        assert CANARY not in read.text
        apart = await who_reported(client, who, report_id)
        assert (CANARY in apart.text) == (who is offices.police)
    assert "field_unread" in read.json()["doubts"]


async def test_what_cannot_be_read_of_the_case_stays_with_it(client, offices) -> None:
    sent = {"found_at": "昨晚", "reporter_name": CANARY}
    report_id = await filed(client, offices.school, **sent)
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert read.json()["as_sent"]["unread"] == {"found_at": "昨晚"}


@pytest.mark.parametrize(("field", "unnamed"), [("天气", True), ("Reported-By", False)])
async def test_a_field_nobody_knows_names_nobody_unless_it_says_so(
    client, offices, field, unnamed
) -> None:
    report_id = await filed(client, offices.school, **{"reporter": None, field: "雨"})
    read = await who_reported(client, offices.police, report_id)
    assert (read.json()["anonymous"], read.json()["as_sent"]) == (unnamed, {field: "雨"})
