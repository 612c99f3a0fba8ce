"""Who must report and who may: a report says which.

高检发〔2020〕9号 Art. 3; 未成年人保护法 Art. 11; REP-02, REP-03.
"""

from datetime import date
from typing import Any

import pytest

from app.access.roles import roles
from app.agencies.models import AgencyKind
from app.police_reports import rules
from app.policy import queries as policy
from app.policy.rules import effective
from tests.access.factories import a_caller, an_agency
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE, filed, the_offices
from tests.police_reports.test_chain import ACCEPT, URL, step
from tests.regions.factories import some_regions

BEIPIAO = 211381000000
DAY = date(2026, 11, 20)


def bearers(region: int = COUNTY, on: date = DAY) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = effective(
        policy.values(), "report.duty_bearers", region, on
    ).value
    return found


@pytest.mark.parametrize("region", [COUNTY, BEIPIAO])
def test_every_bearer_is_a_kind_of_agency_whose_people_may_report(region: int) -> None:
    filing = {
        kind
        for role in roles().values()
        if "police_reports:file" in role.scopes
        for kind in role.agency_kinds
    }
    for each in bearers(region):
        kinds = {*map(AgencyKind, each["agency_kinds"])}
        assert kinds <= filing, each["code"]


@pytest.mark.parametrize(
    "body",
    # 高检发〔2020〕9号 Art. 3: 密切接触未成年人行业的各类组织.
    [
        *("school", "kindergarten", "hospital", "village_committee", "social_work"),
        *("rescue_institution", "welfare_institution", "training_institution", "activity_centre"),
        *("school_bus_provider", "childcare_institution", "hotel", "after_school_care"),
        *("domestic_service", "civil_affairs", "education", "court"),
    ],
)
def test_the_law_binds(body: str) -> None:
    assert rules.bound_as(body, ["living_alone"], bearers()) is not None


@pytest.mark.parametrize(
    ("kind", "situations", "region", "bound"),
    [
        ("womens_federation", ["domestic_violence"], COUNTY, False),
        # 工会、共青团、妇联、残联、关工委
        ("trade_union", ["domestic_violence"], BEIPIAO, True),
        ("youth_league", ["domestic_violence"], BEIPIAO, True),
        ("womens_federation", ["domestic_violence"], BEIPIAO, True),
        ("disabled_persons_federation", ["domestic_violence"], BEIPIAO, True),
        ("next_generation_committee", ["domestic_violence"], BEIPIAO, True),
        # REP-02 does not name the missing child.
        ("womens_federation", ["missing"], BEIPIAO, False),
        ("womens_federation", ["missing", "living_alone"], BEIPIAO, True),
        ("womens_federation", [], BEIPIAO, True),
        ("school", ["missing"], BEIPIAO, True),
        ("police", ["missing"], COUNTY, False),
        ("operator", ["missing"], COUNTY, False),
    ],
)
def test_local_texts_bind_more_and_leave_out_some(kind, situations, region, bound) -> None:
    assert (rules.bound_as(kind, situations, bearers(region)) is not None) is bound


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def as_filed(client, reader, report_id: str) -> tuple[Any, Any]:
    read = (await client.get(f"{URL}/{report_id}", headers=reader.headers)).json()
    return read["reporter_bound"], read["reported_as"]


@pytest.mark.parametrize(
    ("kind", "region", "said"),
    [
        ("kindergarten", VILLAGE, (True, "kindergarten")),
        ("hotel", COUNTY, (True, "hotel")),
        ("court", COUNTY, (True, "state_organ")),
        ("mass_organisation", COUNTY, (False, None)),
    ],
)
async def test_who_must_and_who_need_not_may_both_report(
    client, database, settings, offices, kind, region, said
) -> None:
    agency = await an_agency(database, kind, region)
    reporter = await a_caller(database, settings, "reporting_body", region, agency_id=agency)
    report_id = await filed(client, reporter)
    assert await as_filed(client, offices.police, report_id) == said
    assert await as_filed(client, reporter, report_id) == said


async def test_what_the_text_leaves_out_is_reported_freely(
    client, database, settings, offices
) -> None:
    place = BEIPIAO + 1_001
    await some_regions(database, place)
    agency = await an_agency(database, "womens_federation", BEIPIAO)
    reporter = await a_caller(database, settings, "reporting_body", BEIPIAO, agency_id=agency)
    for situations, said in (
        (["missing"], (False, None)),
        (["missing", "living_alone"], (True, "womens_federation")),
        (["孩子不见了"], (True, "womens_federation")),
        (["missing", "打孩子"], (True, "womens_federation")),
    ):
        report_id = await filed(client, reporter, region_code=str(place), situations=situations)
        assert await as_filed(client, reporter, report_id) == said
    # Until the police say that it means nothing else than what the text leaves out.
    police = await a_caller(database, settings, "police", BEIPIAO)
    report_id = await filed(client, reporter, region_code=str(place), situations=["孩子不见了"])
    meant = {**ACCEPT, "situations": ["missing"]}
    answer = await step(client, police, report_id, "acknowledgement", meant)
    assert answer.status_code == 201, answer.text
    assert await as_filed(client, reporter, report_id) == (False, None)


async def test_who_does_not_read_who_reported_does_not_read_that_either(client, offices) -> None:
    report_id = await filed(client, offices.school)
    for caller in (offices.township, offices.county):
        assert await as_filed(client, caller, report_id) == (None, None)


@pytest.mark.parametrize(("role", "region"), [("education_authority", COUNTY), ("auditor", COUNTY)])
async def test_state_organs_report_too(client, database, settings, offices, role, region) -> None:
    reporter = await a_caller(database, settings, role, region)
    report_id = await filed(client, reporter, region_code=str(TOWNSHIP))
    assert await as_filed(client, offices.police, report_id) == (True, "state_organ")
