"""Staff accounts as the operator's CLI makes them."""

from datetime import timedelta

import pytest

from app.access import jobs, operations
from app.agencies import operations as agencies
from app.agencies.queries import find
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.apps import PASSWORD, a_person, refresh, signed_in
from tests.access.factories import an_agency
from tests.agencies import factories as staff
from tests.regions.factories import some_regions

VILLAGE = 120119101200


@pytest.fixture
async def committee(database):
    await some_regions(database, VILLAGE, 120119101201)
    agency_id = await an_agency(database, "village_committee", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        return await find(tx, agency_id)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"username": "ab"}, operations.UsernameInvalid),
        ({"username": "李主任"}, operations.UsernameInvalid),
        ({"password": "short"}, operations.PasswordTooWeak),
        ({"password": "x" * 129}, operations.PasswordTooWeak),
        ({"password": "Director.Li.1"}, operations.PasswordTooWeak),
        ({"role": "school_system"}, operations.RoleDoesNotFit),
        ({"role": "township_supervisor"}, operations.RoleDoesNotFit),
        ({"role": "nobody"}, operations.RoleDoesNotFit),
        ({"region_code": 120119101000}, operations.RoleDoesNotFit),
        ({"region_code": 999999999999}, operations.RoleDoesNotFit),
        ({"region_code": 120119101201}, agencies.PostOutsideAgency),
        ({"region_code": 120119101299}, agencies.RegionUnknown),
    ],
)
async def test_refuses(database, committee, changed, problem) -> None:
    wanted = {
        "name": "测试员",
        "username": "Director.Li",
        "password": PASSWORD,
        "role": "village_director",
        "region_code": VILLAGE,
        **changed,
    }
    async with database.begin(SYSTEM) as tx:
        with pytest.raises(problem):
            await operations.create_staff(tx, committee, **wanted)


async def test_usernames_are_unique(database, unique) -> None:
    await a_person(database, unique)
    with pytest.raises(operations.UsernameTaken):
        await a_person(database, unique.upper())


async def test_production_knows_no_secrets(database, committee) -> None:
    async with database.begin(SYSTEM) as tx:
        agency = await find(tx, await an_agency_of_school(tx))
        with pytest.raises(operations.SecretsNotAccepted):
            await operations.create_machine(
                tx,
                agency,
                name="x",
                role="school_system",
                region_code=VILLAGE,
                jwks=None,
                secrets_allowed=False,
            )


async def an_agency_of_school(tx):
    made = await agencies.create_agency(tx, "school", "测试小学", VILLAGE)
    return made.id


async def test_accounts_are_closed_to_ordinary_callers(database, unique) -> None:
    await a_person(database, unique)
    async with database.begin() as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM staff_accounts") == 0
        await tx.connection.execute("SELECT set_config('tonghu.caller', 'staff:someone', true)")
        assert await tx.connection.fetchval("SELECT count(*) FROM staff_accounts") == 0


async def test_expired_proofs_are_forgotten_live_ones_are_not(
    client, database, now, unique
) -> None:
    await a_person(database, unique)
    app, issued = await signed_in(client, database, unique)

    async def left() -> tuple[int, int]:
        async with database.begin(SYSTEM) as tx:
            await jobs.forget_expired(tx, {})
            return await tx.connection.fetchrow(
                "SELECT (SELECT count(*) FROM authorization_codes),"
                " (SELECT count(*) FROM refresh_tokens)"
            )

    assert tuple(await left()) == (1, 1)
    database.clock = lambda: now + timedelta(days=2)
    assert tuple(await left()) == (0, 1)
    assert (await refresh(client, app, issued["refresh_token"])).status_code == 200
    await signed_in(client, database, unique)
    database.clock = lambda: now + timedelta(days=32)
    assert tuple(await left()) == (0, 1), "the first sign-in is over, the second is not"
    database.clock = lambda: now + timedelta(days=34)
    assert tuple(await left()) == (0, 0)


class TestSamePerson:
    async def test_three_entries_are_one_person_however_it_was_said(self, database) -> None:
        agency = await an_agency(database, "operator", 0)
        a, b, c, d, other = [await staff.a_person(database, agency) for _ in range(5)]
        async with database.begin(SYSTEM) as tx:
            for one, two in ((a, b), (c, d), (b, d), (a, d)):
                await operations.note_same_person(tx, one, two)
            rows = await tx.connection.fetch("SELECT staff_id, person_id FROM same_persons")
        assert {row["staff_id"] for row in rows} == {a, b, c, d}
        assert len({row["person_id"] for row in rows}) == 1
        assert other not in {row["staff_id"] for row in rows}

    async def test_nobody_is_the_same_as_nobody(self, database) -> None:
        agency = await an_agency(database, "operator", 0)
        person = await staff.a_person(database, agency)
        for other in (person, new_id()):
            with pytest.raises(operations.StaffUnknown):
                async with database.begin(SYSTEM) as tx:
                    await operations.note_same_person(tx, person, other)
