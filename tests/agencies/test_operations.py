from datetime import date

import pytest

from app.agencies import operations, queries
from app.agencies.models import AgencyKind
from app.core.data.db import SYSTEM, Tx
from app.regions.operations import replace_region
from tests.access.factories import a_caller, an_agency
from tests.agencies.factories import a_holding, a_person, a_post
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

VILLAGE, TOWNSHIP, COUNTY = 120119101200, 120119101000, 120119000000
USCC = "91110000600037341L"
TODAY = date(2026, 11, 20)


class TestCreateAgency:
    async def test_keeps_what_was_said(self, database) -> None:
        await some_regions(database, TOWNSHIP)
        async with database.begin(SYSTEM) as tx:
            agency = await operations.create_agency(
                tx, AgencyKind.police, "测试派出所", TOWNSHIP, uscc=USCC
            )
        async with database.begin(SYSTEM) as tx:
            kept = await queries.find(tx, agency.id)
        assert kept is not None
        assert (kept.kind, kept.region_code, kept.uscc) == ("police", TOWNSHIP, USCC)

    async def test_the_operator_serves_the_nation(self, tx: Tx) -> None:
        agency = await operations.create_agency(tx, AgencyKind.operator, "测试平台", 0)
        assert agency.region_code == 0

    async def test_refuses_a_place_that_is_no_division_today(self, tx: Tx) -> None:
        with pytest.raises(operations.RegionUnknown):
            await operations.create_agency(tx, AgencyKind.police, "测试派出所", TOWNSHIP)

    @pytest.mark.parametrize("uscc", ["91110000600037341M", "91110000600037341l"])
    async def test_refuses_a_credit_code_that_does_not_check(self, tx: Tx, uscc: str) -> None:
        with pytest.raises(operations.CreditCodeInvalid):
            await operations.create_agency(tx, AgencyKind.school, "测试学校", 0, uscc=uscc)

    async def test_refuses_a_credit_code_that_is_registered(self, database) -> None:
        async with database.begin(SYSTEM) as tx:
            await operations.create_agency(tx, AgencyKind.school, "测试学校一", 0, uscc=USCC)
        with pytest.raises(operations.AgencyAlreadyRegistered):
            async with database.begin(SYSTEM) as tx:
                await operations.create_agency(tx, AgencyKind.school, "测试学校二", 0, uscc=USCC)


class TestPosts:
    async def test_a_post_stays_inside_its_agency(self, database) -> None:
        await some_regions(database, VILLAGE, 120119102001)
        agency_id = await an_agency(database, "township_government", TOWNSHIP)
        async with database.begin(SYSTEM) as tx:
            agency = await queries.find(tx, agency_id)
            with pytest.raises(operations.PostOutsideAgency):
                await operations.add_post(tx, agency, "township_supervisor", "督导员", 120119102000)
            post = await operations.add_post(tx, agency, "township_supervisor", "督导员", TOWNSHIP)
        assert (post.remit_lo, post.remit_hi) == (TOWNSHIP, TOWNSHIP + 1000)

    async def test_only_people_of_the_agency_hold_it(self, database) -> None:
        post = await a_post(database, "village_committee", VILLAGE, "village_director")
        stranger = await a_person(database, await an_agency(database, "school", VILLAGE))
        with pytest.raises(operations.StaffNotOfAgency):
            await a_holding(database, post, stranger, TODAY)
        gone = await a_person(database, post.agency_id)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE staff SET active = false WHERE id = $1", gone)
        with pytest.raises(operations.StaffNotOfAgency):
            await a_holding(database, post, gone, TODAY)

    async def test_nobody_holds_it_twice_at_a_time(self, database) -> None:
        post = await a_post(database, "village_committee", VILLAGE, "village_director")
        person = await a_person(database, post.agency_id)
        holding = await a_holding(database, post, person, date(2026, 1, 1))
        with pytest.raises(operations.AlreadyHeld):
            await a_holding(database, post, person, TODAY)
        async with database.begin(SYSTEM) as tx:
            held = await tx.session.get(type(holding), holding.id)
            await operations.leave_post(tx, held, TODAY)
        with pytest.raises(operations.AlreadyHeld):
            await a_holding(database, post, person, date(2026, 11, 19))
        await a_holding(database, post, person, TODAY)

    async def test_leaving_takes_place_once_and_not_before_the_beginning(self, database) -> None:
        post = await a_post(database, "village_committee", VILLAGE, "village_director")
        person = await a_person(database, post.agency_id)
        holding = await a_holding(database, post, person, TODAY)
        async with database.begin(SYSTEM) as tx:
            held = await tx.session.get(type(holding), holding.id)
            with pytest.raises(operations.EndBeforeBeginning):
                await operations.leave_post(tx, held, date(2026, 11, 19))
            await operations.leave_post(tx, held, TODAY)
            with pytest.raises(operations.HoldingEnded):
                await operations.leave_post(tx, held, TODAY)

    async def test_a_phone_number_is_not_readable_in_the_table(self, tx: Tx) -> None:
        agency = await operations.create_agency(tx, AgencyKind.operator, "测试平台", 0)
        person = await operations.hire(tx, agency.id, "测试员", phone="+86 10 5550 0101")
        sealed = person.phone_sealed
        assert b"5550" not in sealed
        assert tx.keyring.unseal("staff.phone", person.id, sealed) == "+86 10 5550 0101"


async def test_people_keep_their_authority_when_their_county_gets_another_code(
    client, database, settings
) -> None:
    await some_regions(database, VILLAGE)
    director = await a_caller(database, settings, "village_director", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    await run_jobs(database)
    me = (await client.get("/v1/me", headers=director.headers)).json()
    assert me["region_code"] == "120120101200"
    async with database.begin() as tx:
        post = await tx.connection.fetchrow("SELECT remit_lo, remit_hi FROM posts")
        agency = await queries.find(tx, director.agency_id)
    assert tuple(post) == (120120101200, 120120101201)
    assert agency.region_code == 120120101200
