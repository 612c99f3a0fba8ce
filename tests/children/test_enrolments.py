"""Enrolments are the dated history of the section of education."""

import pytest

from app.access.roles import roles
from app.children.enrolments import class_key
from tests.access.factories import a_caller, an_agency
from tests.children.conftest import TOWNSHIP
from tests.children.enrolling import a_pupil

TODAY, AUTUMN, LAST_YEAR = "2026-11-20", "2026-09-01", "2025-09-01"


@pytest.fixture
async def schools(database):
    return [await an_agency(database, "school", TOWNSHIP) for _ in range(2)]


@pytest.fixture
async def pupil(client, database, settings, schools):
    first, _ = schools
    return await a_pupil(client, database, settings, first, class_name="一班", since=LAST_YEAR)


class TestWrittenFromTheFile:
    async def test_opening_a_file_begins_one(self, pupil, schools) -> None:
        (enrolment,) = await pupil.enrolments()
        del enrolment["id"]
        assert enrolment == {
            "school_id": str(schools[0]),
            "class_name": "一班",
            "boarding": None,
            "since": LAST_YEAR,
            "until": None,
        }

    async def test_nobody_said_since_when(self, client, database, settings, schools) -> None:
        pupil = await a_pupil(client, database, settings, schools[0])
        assert await pupil.spans() == [(str(schools[0]), None, TODAY, None)]

    async def test_a_change_holds_from_today_and_the_past_stays(self, pupil, schools) -> None:
        await pupil.enrol(schools[1])
        assert await pupil.spans() == [
            (str(schools[0]), "一班", LAST_YEAR, TODAY),
            (str(schools[1]), "一班", TODAY, None),
        ]

    async def test_since_corrects_backwards(self, pupil, schools) -> None:
        await pupil.enrol(schools[1], class_name="二班", since=AUTUMN)
        assert await pupil.spans() == [
            (str(schools[0]), "一班", LAST_YEAR, AUTUMN),
            (str(schools[1]), "二班", AUTUMN, None),
        ]

    async def test_since_before_all_that_was_known(self, pupil, schools) -> None:
        await pupil.enrol(schools[1], since=AUTUMN)
        await pupil.enrol(schools[1], since="2025-03-01")
        assert await pupil.spans() == [(str(schools[1]), "一班", "2025-03-01", None)]

    async def test_a_correction_taken_back_leaves_one(self, pupil, schools) -> None:
        await pupil.enrol(schools[1], since=AUTUMN)
        await pupil.enrol(schools[0], since=LAST_YEAR)
        assert await pupil.spans() == [(str(schools[0]), "一班", LAST_YEAR, None)]

    async def test_since_corrects_forwards_and_the_days_before_go_back(
        self, pupil, schools
    ) -> None:
        """The file and its rows say the same; boarding meanwhile is no enrolment elsewhere."""
        await pupil.enrol(schools[1], class_name="二班", since=AUTUMN)
        await pupil.change(education={"boarding": True})
        await pupil.change(education={"since": "2026-11-16"})
        assert await pupil.spans() == [
            (str(schools[0]), "一班", LAST_YEAR, "2026-11-16"),
            (str(schools[1]), "二班", "2026-11-16", None),
        ]
        section = await pupil.client.get(f"/v1/children/{pupil.id}", headers=pupil.office.headers)
        assert section.json()["education"]["since"] == "2026-11-16"

    async def test_a_first_enrolment_too_early(self, pupil, schools) -> None:
        await pupil.change(education={"since": AUTUMN})
        assert await pupil.spans() == [(str(schools[0]), "一班", AUTUMN, None)]

    async def test_coming_again_leaves_the_first_time_as_it_was(self, pupil, schools) -> None:
        await pupil.enrol(schools[1], since=AUTUMN)
        await pupil.enrol(schools[0], since="2026-11-02")
        await pupil.change(education={"since": "2026-11-16"})
        assert await pupil.spans() == [
            (str(schools[0]), "一班", LAST_YEAR, AUTUMN),
            (str(schools[1]), "一班", AUTUMN, "2026-11-16"),
            (str(schools[0]), "一班", "2026-11-16", None),
        ]

    async def test_another_class_and_boarding_are_enrolments_of_their_own(self, pupil) -> None:
        await pupil.change(education={"class_name": "二班", "since": AUTUMN})
        await pupil.change(education={"boarding": True})
        assert [row[1:] for row in await pupil.spans()] == [
            ("一班", LAST_YEAR, AUTUMN),
            ("二班", AUTUMN, TODAY),
            ("二班", TODAY, None),
        ]
        assert (await pupil.enrolments())[0]["boarding"] is True

    async def test_a_grade_is_none_of_its_business(self, pupil) -> None:
        await pupil.change(education={"grade": 4})
        await pupil.change(education={"grade": 5, "since": AUTUMN})
        await pupil.change(education={"since": "2026-10-12"})
        assert [row[2:] for row in await pupil.spans()] == [(LAST_YEAR, None)]

    async def test_leaving_school_ends_it(self, pupil, schools) -> None:
        await pupil.enrol(None, status="dropout")
        assert await pupil.spans() == [(str(schools[0]), "一班", LAST_YEAR, TODAY)]
        await pupil.enrol(schools[0], status="enrolled")
        assert await pupil.spans() == [(str(schools[0]), "一班", LAST_YEAR, None)]

    async def test_clearing_the_section_ends_it(self, pupil) -> None:
        await pupil.change(education=None)
        assert [row[3] for row in await pupil.spans()] == [TODAY]

    async def test_a_move_takes_them_along(self, pupil, database, settings) -> None:
        await pupil.change(residence={"region_code": "120118101201"})
        county = await a_caller(database, settings, "civil_affairs", 120118000000)
        assert len(await pupil.enrolments(county)) == 1


class TestSentBackAsItWasRead:
    """A since that is stored already says nothing new; no school takes the days of another."""

    @pytest.fixture
    async def moved(self, pupil, schools, database, settings):
        """To another school today, without a word since when. Returns a teacher of that."""
        await pupil.enrol(schools[1], class_name="三班")
        return await a_caller(database, settings, "school", TOWNSHIP, agency_id=schools[1])

    async def send_back(self, pupil, caller, **changed):
        url = f"/v1/children/{pupil.id}"
        read = await pupil.client.get(url, headers=caller.headers)
        section = {k: v for k, v in read.json()["education"].items() if v is not None}
        return await pupil.client.patch(
            url,
            json={"education": {**section, **changed}},
            headers={**caller.headers, "if-match": read.headers["etag"]},
        )

    async def test_a_move_nobody_dated_begins_today_in_the_file_too(self, pupil, moved) -> None:
        answer = await self.send_back(pupil, moved)
        assert answer.json()["education"]["since"] == TODAY

    async def test_the_former_schools_days_stay(self, pupil, schools, moved) -> None:
        spans = await pupil.spans()
        assert (await self.send_back(pupil, moved, grade=3)).status_code == 200
        assert await pupil.spans() == spans
        assert (await self.send_back(pupil, moved, class_name="四班")).status_code == 200
        assert await pupil.spans() == [
            (str(schools[0]), "一班", LAST_YEAR, TODAY),
            (str(schools[1]), "四班", TODAY, None),
        ]

    async def test_with_another_school_in_it_it_is_a_move_of_today(self, pupil, schools) -> None:
        answer = await self.send_back(pupil, pupil.office, school_id=str(schools[1]))
        assert answer.json()["education"]["since"] == TODAY
        assert (await pupil.spans())[0] == (str(schools[0]), "一班", LAST_YEAR, TODAY)

    async def test_a_school_takes_no_days_from_another(self, pupil, moved) -> None:
        spans = await pupil.spans()
        for since in (LAST_YEAR, "2026-11-19"):
            answer = await self.send_back(pupil, moved, since=since)
            assert (answer.status_code, answer.json()["type"]) == (
                403,
                "/problems/outside-remit",
            )
            assert answer.json()["errors"][0]["pointer"] == "#/education/since"
        assert await pupil.spans() == spans

    async def test_nor_gives_it_any(self, pupil, schools, database, settings) -> None:
        await pupil.enrol(schools[1], since=AUTUMN)
        teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=schools[1])
        answer = await self.send_back(pupil, teacher, since="2026-11-16")
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/outside-remit")

    async def test_a_school_corrects_its_own(self, pupil, schools, database, settings) -> None:
        teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=schools[0])
        answer = await self.send_back(pupil, teacher, class_name="二班", since=AUTUMN)
        assert answer.status_code == 200, answer.text
        assert [row[1:] for row in await pupil.spans()] == [
            ("一班", LAST_YEAR, AUTUMN),
            ("二班", AUTUMN, None),
        ]


class TestWhoReads:
    async def test_the_new_school_reads_the_history_and_the_former_nothing(
        self, pupil, schools, database, settings
    ) -> None:
        await pupil.enrol(schools[1])
        new, former = [
            await a_caller(database, settings, "school", TOWNSHIP, agency_id=school)
            for school in reversed(schools)
        ]
        assert len(await pupil.enrolments(new)) == 2
        url = f"/v1/children/{pupil.id}/enrolments"
        assert (await pupil.client.get(url, headers=former.headers)).status_code == 404

    def test_whoever_reads_files_reads_the_section(self) -> None:
        readers = [role for role in roles().values() if "children:read" in role.scopes]
        assert readers
        assert all("education" in role.reads for role in readers)


@pytest.mark.parametrize("written", ["三（２）班", "三(2)班", " 三 (2) 班", "三(2)班\u200b"])
def test_a_class_is_the_same_however_it_is_spelt(written) -> None:
    assert class_key(written) == "三(2)班"
    assert class_key("A班") == class_key("a班") != class_key("b班")
