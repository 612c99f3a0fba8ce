"""Every situation reported gets an answer of its own, and what is left out stays owed."""

from typing import Any
from uuid import uuid4

import pytest

from tests.police_reports.factories import filed, the_offices
from tests.police_reports.test_chain import ACCEPT, AT, DISPOSE, URL, step

LEFT_OUT = [
    {"measure": "civil_affairs_notified", "reason": "未见需要安置的危险状态。"},
    {"measure": "medical_care_arranged", "reason": "孩子没有受伤。"},
    {"measure": "injury_appraisal_arranged", "reason": "孩子没有受伤。"},
]
VIOLENCE = {
    "kind": "domestic_violence",
    "at": AT,
    "measures": ["violence_stopped", "warning_letter_issued", "evidence_collected"],
    "omitted": LEFT_OUT,
}
FOUND = {
    "kind": "missing",
    "at": AT,
    "measures": ["search_started", "child_found"],
}
PAPER = {
    "paper_number": "护送〔2026〕03号",
    "handed_over_on": "2026-11-20",
    "received_by": "救助站值班员",
}
ESCORT = {
    "kind": "parents_unreachable",
    "at": AT,
    "measures": ["escorted_to_rescue_institution", "parents_notified"],
    "placed_with_name": "蓟州区救助管理站",
    "hand_over": PAPER,
}


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
def case(client, offices):
    """File a report of some situations; returns how to dispose of it and how to read it."""

    async def made(*situations: str) -> Any:
        report_id = await filed(client, offices.school, situations=list(situations))

        async def dispose(body: dict[str, Any], **fields: Any) -> Any:
            return await step(client, offices.police, report_id, "dispositions", {**body, **fields})

        async def read(who: str = "county") -> Any:
            caller = getattr(offices, who)
            return (await client.get(f"{URL}/{report_id}", headers=caller.headers)).json()

        return dispose, read

    return made


def refused(answer: Any) -> tuple[int, str, str]:
    [error] = answer.json()["errors"]
    return answer.status_code, error["pointer"], error["code"]


class TestAnswers:
    async def test_violence_disposed_of_as_living_alone_is_refused_and_told_what_answers(
        self, case
    ) -> None:
        dispose, read = await case("domestic_violence")
        answer = await dispose(DISPOSE)
        assert refused(answer) == (422, "#/kind", "situation_unanswered")
        said = answer.json()["errors"][0]["detail"]
        assert "domestic_violence" in said
        assert "家庭暴力处置" in said
        assert "living_alone" not in said
        assert (await read())["steps"] == []

    async def test_it_is_handled_when_every_situation_has_its_answer(self, case) -> None:
        dispose, read = await case("domestic_violence", "missing")
        assert (await read())["unanswered"] == ["domestic_violence", "missing"]
        assert (await dispose(FOUND)).status_code == 201
        half = await read()
        assert (half["unanswered"], half["handled_at"]) == (["domestic_violence"], None)
        assert (await dispose(VIOLENCE)).status_code == 201
        whole = await read()
        assert (whole["unanswered"], whole["handled_at"]) == ([], "2026-11-20T02:00:00Z")

    async def test_it_is_handled_no_more_when_the_police_say_what_else_has_no_answer(
        self, case
    ) -> None:
        dispose, read = await case("domestic_violence")
        assert (await dispose(VIOLENCE)).status_code == 201
        assert (await read())["handled_at"] is not None
        more = await dispose(FOUND, situations=["missing", "living_alone"])
        assert more.status_code == 201, more.text
        half = await read()
        assert (half["unanswered"], half["handled_at"]) == (["living_alone"], None)

    async def test_what_was_found_beside_waits_for_what_was_reported(self, case) -> None:
        dispose, read = await case("domestic_violence", "missing")
        assert (await dispose(VIOLENCE)).status_code == 201
        assert refused(await dispose(DISPOSE))[2] == "situation_unanswered"
        assert (await dispose(FOUND)).status_code == 201
        assert (await dispose(DISPOSE)).status_code == 201
        kinds = [taken["details"]["kind"] for taken in (await read())["steps"]]
        assert kinds == ["domestic_violence", "missing", "living_alone"]

    async def test_what_was_found_beside_comes_in_the_same_step(self, case) -> None:
        dispose, read = await case("domestic_violence")
        beside = {name: DISPOSE[name] for name in ("kind", "measures")}
        assert (await dispose(VIOLENCE, also=[beside])).status_code == 201
        [taken] = (await read())["steps"]
        unsaid = {"particulars": None, "dangers": None}
        assert taken["details"]["also"] == [
            {**beside, "measures": DISPOSE["measures"], "omitted": [], **unsaid}
        ]

    @pytest.mark.parametrize("body", [DISPOSE, ESCORT])
    async def test_parents_who_cannot_be_reached_are_an_answer_to_living_alone(
        self, case, body
    ) -> None:
        dispose, read = await case("living_alone")
        assert (await dispose(body)).status_code == 201
        assert (await read())["unanswered"] == []

    @pytest.mark.parametrize("words", ["家暴", "打孩子", "孩子不见了还有伤", "violence"])
    async def test_words_in_no_list_are_answered_by_what_the_police_say_they_mean(
        self, case, words
    ) -> None:
        dispose, read = await case(words)
        assert (await read())["doubts"] == ["situation_unknown"]
        for body in (DISPOSE, FOUND, VIOLENCE):
            assert refused(await dispose(body)) == (422, "#/situations", "situation_unsaid")
        meant = ["domestic_violence"]
        assert refused(await dispose(DISPOSE, situations=meant))[2] == "situation_unanswered"
        unlisted = await dispose(VIOLENCE, situations=["domestic_violence", words])
        assert unlisted.status_code == 422, unlisted.text
        assert refused(await dispose(VIOLENCE, situations=["nonsense"])) == (
            *(422, "#/situations/0", "situation_unlisted"),
        )
        assert (await dispose(VIOLENCE, situations=meant)).status_code == 201
        whole = await read()
        assert (whole["situations"], whole["unanswered"], whole["doubts"]) == (meant, [], [])
        assert whole["handled_at"] == "2026-11-20T02:00:00Z"
        assert whole["as_sent"]["situations"] == [words]
        assert whole["steps"][0]["details"]["situations"] == meant

    async def test_the_police_say_so_on_registering_or_later_under_the_same_number(
        self, client, offices, case
    ) -> None:
        dispose, read = await case("孩子被打", "missing")
        report_id = (await read())["id"]
        first = await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        assert first.status_code == 201
        body = {**ACCEPT, "situations": ["domestic_violence"]}
        for expected in (201, 200):
            said = await step(client, offices.police, report_id, "acknowledgement", body)
            assert said.status_code == expected, said.text
        assert (await read())["unanswered"] == ["domestic_violence", "missing"]
        nonsense = {**body, "situations": ["nonsense"]}
        unlisted = await step(client, offices.police, report_id, "acknowledgement", nonsense)
        assert refused(unlisted) == (422, "#/situations/0", "situation_unlisted")
        assert (await dispose(FOUND)).status_code == 201
        assert (await read())["handled_at"] is None
        assert (await dispose(VIOLENCE)).status_code == 201
        assert (await read())["handled_at"] == "2026-11-20T02:00:00Z"

    async def test_what_they_say_after_it_was_handled_is_still_to_be_answered(
        self, client, offices, case
    ) -> None:
        dispose, read = await case("missing")
        assert (await dispose(FOUND)).status_code == 201
        body = {**ACCEPT, "situations": ["domestic_violence"]}
        report_id = (await read())["id"]
        await step(client, offices.police, report_id, "acknowledgement", body)
        assert ((await read())["unanswered"], (await read())["handled_at"]) == (
            *(["domestic_violence"], None),
        )

    async def test_the_same_step_again_is_the_same_answer(self, case) -> None:
        dispose, _ = await case("domestic_violence")
        body = {**VIOLENCE, "id": "01995f3c-9d20-7e11-9a02-3b7c1d4e5f60"}
        first, again = await dispose(body), await dispose(body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()


class TestMeasures:
    async def test_what_was_done_is_taken_and_what_is_left_out_in_silence_stays_owed(
        self, case
    ) -> None:
        """REP-12: 应; REP-13: 依法制止侵害行为,…调查取证,协助其就医、鉴定伤情."""
        for missing, left_out in enumerate(LEFT_OUT):
            dispose, read = await case("domestic_violence")
            others = LEFT_OUT[:missing] + LEFT_OUT[missing + 1 :]
            undone = [{"kind": "domestic_violence", "one_of": [left_out["measure"]]}]
            answer = await dispose(VIOLENCE, omitted=others)
            assert (answer.status_code, answer.json()["undone"]) == (201, undone)
            for who in ("police", "township"):
                stands = await read(who)
                assert (stands["undone"], stands["handled_at"]) == (undone, None)
                assert stands["unanswered"] == ["domestic_violence"]
            assert (await read("school"))["undone"] == []
            answer = await dispose(VIOLENCE, omitted=[left_out])
            assert (answer.json()["undone"], (await read())["unanswered"]) == ([], [])

    async def test_of_a_kind_beside_it_too(self, case) -> None:
        dispose, read = await case("domestic_violence")
        answer = await dispose(VIOLENCE, also=[{"kind": "missing", "measures": ["child_found"]}])
        assert answer.json()["undone"] == [{"kind": "missing", "one_of": ["search_started"]}]
        assert (await read())["unanswered"] == []

    async def test_the_reason_is_read_by_who_acts_on_it_and_by_nobody_else(self, case) -> None:
        dispose, read = await case("domestic_violence")
        assert (await dispose(VIOLENCE)).status_code == 201
        [taken] = (await read("township"))["steps"]
        assert taken["details"]["omitted"] == LEFT_OUT
        assert (await read("school"))["steps"][0]["details"] is None

    async def test_what_was_told_once_need_not_be_told_again(self, case) -> None:
        dispose, _ = await case("domestic_violence")
        assert (await dispose(VIOLENCE)).status_code == 201
        more = {"kind": "domestic_violence", "at": AT, "measures": ["medical_care_arranged"]}
        assert (await dispose(more)).status_code == 201

    async def test_nothing_found_is_said_with_reasons(self, case) -> None:
        dispose, read = await case("missing")
        nothing = {"kind": "missing", "at": AT}
        assert (await dispose(nothing)).status_code == 201
        assert (await read())["unanswered"] == ["missing"]
        reason = [{"measure": "search_started", "reason": "孩子在亲戚家。"}]
        assert (await dispose(nothing, omitted=reason)).status_code == 201
        assert (await read())["unanswered"] == []

    @pytest.mark.parametrize(
        ("omitted", "where", "code"),
        [
            ([{"measure": "child_found", "reason": "无"}], "#/omitted/0", "measure_unknown"),
            (
                [*LEFT_OUT, {"measure": "violence_stopped", "reason": "无"}],
                "#/omitted/3",
                "measure_contradicted",
            ),
        ],
    )
    async def test_what_is_left_out_is_a_measure_that_was_not_done(
        self, case, omitted, where, code
    ) -> None:
        dispose, _ = await case("domestic_violence")
        assert refused(await dispose(VIOLENCE, omitted=omitted)) == (422, where, code)


class TestEscort:
    async def test_without_a_destination_it_is_refused(self, case) -> None:
        dispose, _ = await case("living_alone")
        answer = await dispose(ESCORT, placed_with_name=None)
        assert refused(answer) == (422, "#/placed_with_agency_id", "destination_missing")

    async def test_without_the_paper_it_is_refused(self, case) -> None:
        dispose, _ = await case("living_alone")
        assert refused(await dispose(ESCORT, hand_over=None)) == (
            422,
            "#/hand_over",
            "hand_over_missing",
        )

    async def test_a_placement_after_violence_names_both_too(self, case) -> None:
        dispose, _ = await case("domestic_violence")
        placed = [*VIOLENCE["measures"], "placed_in_shelter"]
        assert refused(await dispose(VIOLENCE, measures=placed))[2] == "destination_missing"

    async def test_so_does_one_beside_the_first_kind(self, case) -> None:
        dispose, _ = await case("domestic_violence")
        beside = {name: ESCORT[name] for name in ("kind", "measures")}
        assert refused(await dispose(VIOLENCE, also=[beside]))[2] == "destination_missing"

    async def test_a_destination_not_registered_is_kept_in_words(self, case) -> None:
        dispose, read = await case("living_alone")
        assert (await dispose(ESCORT)).status_code == 201
        [taken] = (await read("township"))["steps"]
        told = taken["details"]
        assert (told["placed_with_agency_id"], told["placed_with_name"], told["hand_over"]) == (
            None,
            ESCORT["placed_with_name"],
            PAPER,
        )

    async def test_an_agency_is_named_by_its_id(self, case, offices) -> None:
        dispose, read = await case("living_alone")
        agency = str(offices.village.agency_id)
        placed = {"placed_with_name": None, "placed_with_agency_id": agency}
        nobody = {**placed, "placed_with_agency_id": str(uuid4())}
        refused = await dispose(ESCORT, **nobody)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "agency_unknown")
        assert (await dispose(ESCORT, **placed)).status_code == 201
        assert (await read())["steps"][0]["details"]["placed_with_agency_id"] == agency
