"""Of what the police did there are papers, days and an end: what was not said stays owed."""

import orjson
import pytest

from app.police_reports.schemas import steps as stated
from tests.access.factories import an_agency
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, filed, the_offices
from tests.police_reports.test_chain import AT, DISPOSE, URL, step
from tests.police_reports.test_dispositions import ESCORT, LEFT_OUT, PAPER, VIOLENCE, refused
from tests.police_reports.test_owing import owed
from tests.policy.test_parameters import BEIPIAO

ON = {"day": "2026-11-20"}
NUMBER = {"paper_number": "公〔2026〕5号"}


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
def case(client, database, offices):
    """File a report of some situation; returns how to tell what was done, and what is unsaid."""

    async def made(situation, **fields):
        report_id = await filed(client, offices.school, situations=[situation], **fields)

        async def tell(body, expected=201):
            answer = await step(client, offices.police, report_id, "dispositions", body)
            assert answer.status_code == expected, answer.text
            await run_jobs(database)
            return answer

        async def unsaid(who="police"):
            headers = getattr(offices, who).headers
            read = (await client.get(f"{URL}/{report_id}", headers=headers)).json()
            return {each["measure"]: [*each["fields"], *each["then"]] for each in read["unsaid"]}

        async def duty():
            return [each["state"] for each in await owed(client, offices.police, "REP-08.said")]

        return tell, unsaid, duty

    return made


def handled(kind, *measures, **fields):
    return {"kind": kind, "at": AT, "measures": [*measures], **fields}


def of(measure, **said):
    return {"measure": measure, **said}


EVIDENCE = ("evidence_collected", "medical_care_arranged", "injury_appraisal_arranged")
OUTCOME = ["parents_returned", "parents_not_returned"]


@pytest.mark.parametrize(
    ("situation", "first", "missing", "then"),
    [
        pytest.param(
            "living_alone",
            DISPOSE,
            {
                "parents_ordered_to_return": [*OUTCOME, "entrusted_guardian_named"],
                "parents_admonished": ["paper_number", "day"],
            },
            [
                handled(
                    "living_alone",
                    "parents_returned",
                    particulars=[of("parents_admonished", **NUMBER, **ON)],
                ),
                handled("living_alone", particulars=[of("parents_returned", **ON)]),
            ],
            id="REP-08: 责令其父母立即返回,并对父母进行训诫",
        ),
        pytest.param(
            "living_alone",
            DISPOSE,
            {
                "parents_ordered_to_return": [*OUTCOME, "entrusted_guardian_named"],
                "parents_admonished": ["paper_number", "day"],
            },
            [
                handled("living_alone", particulars=[of("parents_admonished", **NUMBER)]),
                handled(
                    "living_alone",
                    omitted=[{"measure": "entrusted_guardian_named", "reason": "祖母同住。"}],
                    particulars=[of("parents_admonished", **ON)],
                ),
            ],
            id="REP-08: one after the other, or why not",
        ),
        pytest.param(
            "living_alone",
            {
                **DISPOSE,
                "measures": [*DISPOSE["measures"], "parents_not_returned"],
                "particulars": [of("parents_admonished", **NUMBER, **ON)],
            },
            {"parents_not_returned": ["parents_returned", "entrusted_guardian_named"]},
            [
                handled(
                    "living_alone",
                    "entrusted_guardian_named",
                    particulars=[of("entrusted_guardian_named", who="祖母")],
                )
            ],
            id="REP-08: 返回或确定受委托监护人: who do not return name one",
        ),
        pytest.param(
            "living_alone",
            {**DISPOSE, "measures": ["entrusted_guardian_named", "parents_admonished"]},
            {
                "entrusted_guardian_named": ["who"],
                "parents_admonished": ["paper_number", "day"],
            },
            [
                handled(
                    "living_alone",
                    particulars=[
                        of("entrusted_guardian_named", who="祖母"),
                        of("parents_admonished", reason="父母在外地,电话训诫。"),
                    ],
                )
            ],
            id="REP-08: 或确定受委托监护人",
        ),
        pytest.param(
            "guardian_failure",
            handled("guardian_failure", "parents_contacted"),
            {"parents_contacted": OUTCOME},
            [
                handled("guardian_failure", "parents_not_returned"),
                handled("guardian_failure", "relatives_entrusted"),
                handled("guardian_failure", particulars=[of("relatives_entrusted", who="姑姑")]),
            ],
            id="REP-09: 联系农村留守儿童父母立即返回或委托其他亲属监护照料",
        ),
        pytest.param(
            "guardian_failure",
            handled("guardian_failure", "parents_returning", "relatives_entrusted"),
            {"parents_returning": OUTCOME, "relatives_entrusted": ["who"]},
            [
                handled(
                    "guardian_failure",
                    "parents_returned",
                    particulars=[
                        of("relatives_entrusted", who="姑姑"),
                        of("parents_returned", **ON),
                    ],
                )
            ],
            id="REP-09: 或委托其他亲属监护照料",
        ),
        pytest.param(
            "guardian_failure",
            ESCORT,
            {"escorted_to_rescue_institution": ["nearest"], "parents_notified": ["day"]},
            [
                handled(
                    "parents_unreachable",
                    particulars=[
                        of("escorted_to_rescue_institution", nearest=True),
                        of("parents_notified", **ON),
                    ],
                )
            ],
            id="REP-10: 就近护送,并协助通知父母",
        ),
        pytest.param(
            "missing",
            handled("missing", "search_started"),
            {"search_started": ["paper_number", "child_found", "search_ended"]},
            [
                handled("missing", particulars=[of("search_started", **NUMBER)]),
                handled("missing", "child_found", particulars=[of("child_found", **ON)]),
            ],
            id="REP-11: 按照儿童失踪快速查找机制及时开展调查",
        ),
        pytest.param(
            "missing",
            handled("missing", "search_started", particulars=[of("search_started", **NUMBER)]),
            {"search_started": ["child_found", "search_ended"]},
            [handled("missing", "search_ended", particulars=[of("search_ended", **ON)])],
            id="REP-11: 失踪",
        ),
        pytest.param(
            "domestic_violence",
            VIOLENCE,
            {"violence_stopped": ["dangers"], "evidence_collected": ["paper_number"]},
            [
                handled("domestic_violence", particulars=[of("evidence_collected", **NUMBER)]),
                handled("domestic_violence", dangers=[]),
            ],
            id="REP-12: 依法制止; whether 处于…危险状态",
        ),
        pytest.param(
            "domestic_violence",
            {
                **VIOLENCE,
                "measures": ["civil_affairs_notified", *VIOLENCE["measures"]],
                "omitted": LEFT_OUT[1:],
                "dangers": [],
                "particulars": [of("evidence_collected", **NUMBER)],
            },
            {"civil_affairs_notified": ["day"]},
            [handled("domestic_violence", particulars=[of("civil_affairs_notified", **ON)])],
            id="REP-12: 应通知…民政部门",
        ),
        pytest.param(
            "accident_or_harm",
            handled("other_harm", "harm_stopped", "child_protected", *EVIDENCE),
            {
                "evidence_collected": ["paper_number"],
                "medical_care_arranged": ["who"],
                "injury_appraisal_arranged": ["paper_number"],
            },
            [
                handled(
                    "other_harm",
                    particulars=[
                        of("evidence_collected", **NUMBER),
                        of("medical_care_arranged", who="蓟州区人民医院"),
                    ],
                ),
                handled("other_harm", particulars=[of("injury_appraisal_arranged", **NUMBER)]),
            ],
            id="REP-13: 调查取证,协助其就医、鉴定伤情",
        ),
    ],
)
async def test_what_the_police_have_not_said_is_owed_until_they_say_it(
    case, situation, first, missing, then
) -> None:
    """A client that knows none of these fields is taken as before."""
    tell, unsaid, duty = await case(situation)
    await tell(first)
    for caller in ("police", "township"):
        assert await unsaid(caller) == missing
    assert await unsaid("school") == {}
    for body in then:
        assert await duty() == ["open"]
        await tell(body)
    assert (await unsaid(), await duty()) == ({}, ["discharged"])


@pytest.mark.parametrize(
    ("where", "dangers", "asked"),
    [
        (None, None, ["dangers"]),
        (None, [], []),  # 必要时: as the police judge
        (BEIPIAO, None, ["dangers"]),
        (BEIPIAO, [], ["dangers"]),
        (BEIPIAO, ["serious_injury"], []),
        (BEIPIAO, ["threat_to_safety", "nobody_caring"], []),
        (BEIPIAO, ["other_danger"], []),
    ],
)
async def test_a_placement_says_which_danger_it_answers(case, where, dangers, asked) -> None:
    """REP-12: 对因家庭暴力身体受到严重伤害、面临人身安全威胁或者处于无人照料等危险状态的."""
    place = {"region_code": str(where)} if where else {}
    tell, unsaid, _ = await case("domestic_violence", **place)
    measures = [*VIOLENCE["measures"], "placed_in_shelter"]
    placed = {"placed_with_name": "临时庇护所", "hand_over": PAPER}
    said = {} if dangers is None else {"dangers": dangers}
    await tell({**VIOLENCE, "measures": measures, **placed, **said})
    assert (await unsaid()).get("placed_in_shelter", []) == asked
    if dangers:
        await tell({**VIOLENCE, "dangers": []})
        assert (await unsaid()).get("placed_in_shelter", []) == asked, "what was said stays said"


async def test_a_child_in_danger_is_placed_or_it_is_said_why_not(case) -> None:
    """REP-12: 应通知并协助民政部门将其安置到临时庇护场所、救助管理机构或者福利机构实施保护."""
    tell, _, _ = await case("domestic_violence")
    in_danger = {**VIOLENCE, "dangers": ["nobody_caring"]}
    [undone] = (await tell(in_danger)).json()["undone"]
    assert "placed_in_shelter" in undone["one_of"]
    why = {"measure": "placed_in_shelter", "reason": "祖母已接回照料。"}
    assert (await tell({**in_danger, "omitted": [*LEFT_OUT, why]})).json()["undone"] == []


async def test_a_farther_place_than_one_of_its_kind_needs_a_reason(database, case, offices) -> None:
    """REP-10: 就近护送至其他近亲属、村民委员会或救助管理机构、福利机构."""
    far = await an_agency(database, "rescue_institution", COUNTY)
    tell, unsaid, _ = await case("living_alone")
    measure = "escorted_to_rescue_institution"
    nearest = of(measure, nearest=True)
    escort = {**ESCORT, "placed_with_name": None, "placed_with_agency_id": str(far)}
    await tell({**escort, "particulars": [of("parents_notified", **ON)]})
    assert await unsaid() == {measure: ["nearest"]}
    near = await an_agency(database, "rescue_institution", TOWNSHIP)
    for said in (nearest, of(measure, nearest=False)):
        await tell(handled("parents_unreachable", particulars=[said]))
        assert await unsaid() == {measure: ["nearest"]}
    await tell({**escort, "placed_with_agency_id": str(near), "particulars": [nearest]})
    assert await unsaid() == {}
    tell, unsaid, _ = await case("living_alone")
    why = of(measure, nearest=False, reason="镇救助站已满。")
    await tell({**escort, "particulars": [why, of("parents_notified", **ON)]})
    assert await unsaid() == {}


async def test_what_was_not_done_has_no_particulars(case) -> None:
    tell, _, _ = await case("missing")
    body = handled("missing", "search_started", particulars=[of("child_found", **ON)])
    found = (422, "#/particulars/0/measure", "measure_not_done")
    assert refused(await tell(body, expected=422)) == found


def test_a_step_of_before_is_known_as_the_same_when_it_is_sent_again() -> None:
    """What a step says decides whether it is the same: a field that came later says nothing."""
    body = {**VIOLENCE, "also": [{"kind": "missing"}]}
    dumped = stated.Disposition.model_validate_json(orjson.dumps(body)).model_dump(mode="json")
    assert {"particulars", "dangers"}.isdisjoint({*dumped, *dumped["also"][0]})
