"""Every way in, and all that ends power: each is shut with the next request.

All ways are prepared while everything stands; then one thing ends; then each is tried. Where
nothing ends, each lets in: so none is refused for another reason.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import pytest

from app.access import operations as access
from app.access.models import Client
from app.agencies import operations as agencies
from app.agencies.models import Post, PostHolding
from app.core.data.db import SYSTEM, Tx
from app.staff import operations as staff
from tests.access.apps import (
    Machine,
    Person,
    a_machine,
    a_person,
    an_app,
)
from tests.access.ways import (
    OF_A_PERSON,
    OF_A_SYSTEM,
    OWN_ACCOUNT,
    ROLE,
    WITHOUT_APP,
    Prepare,
    Stage,
    Way,
    a_notice_that_goes_out,
    the_agency,
)

End = Callable[[Tx, Any], Awaitable[None]]

# What ends.


async def _left(tx: Tx, who: Person) -> None:
    held = await tx.session.get(PostHolding, who.holding_id)
    assert held is not None
    await agencies.leave_post(tx, held, tx.today)


async def _given_up(tx: Tx, who: Person) -> None:
    post = await tx.session.get(Post, who.post_id)
    assert post is not None
    await agencies.close_post(tx, post)


async def _closed(tx: Tx, who: Any) -> None:
    await agencies.close_agency(tx, await the_agency(tx, who.agency_id))


async def _suspended(tx: Tx, machine: Machine) -> None:
    await _switch_off(tx, machine.client_id)


async def _switch_off(tx: Tx, client_id: UUID) -> None:
    found = await tx.session.get(Client, client_id)
    assert found is not None
    await access.set_active(tx, found, active=False)


def _off(table: str, key: str, of: str) -> End:
    """As whoever has the database switches it off."""

    async def switched(tx: Tx, who: Any) -> None:
        said = f"UPDATE {table} SET active = false WHERE {key} = $1"
        await tx.connection.execute(said, getattr(who, of))

    return switched


async def _nothing(_: Tx, __: Any) -> None:
    """The ways are open."""


PERSON_ENDS: Final[dict[str, tuple[End, frozenset[Prepare]]]] = {
    "nothing": (_nothing, frozenset(OF_A_PERSON)),
    "account suspended": (
        lambda tx, who: staff.set_active(tx, who.staff_id, active=False),
        frozenset(),
    ),
    "account not active": (_off("staff_accounts", "staff_id", "staff_id"), frozenset()),
    "person let go": (lambda tx, who: staff.end(tx, who.staff_id), frozenset()),
    "person not active": (_off("staff", "id", "staff_id"), frozenset()),
    "post left": (_left, OWN_ACCOUNT),
    "post given up": (_given_up, OWN_ACCOUNT),
    "post not active": (_off("posts", "id", "post_id"), OWN_ACCOUNT),
    "agency not active": (_off("agencies", "id", "agency_id"), OWN_ACCOUNT),
    "agency closed": (_closed, OWN_ACCOUNT),
    "app suspended": (_nothing, WITHOUT_APP),
}
"""What ends, and what that leaves open."""
SYSTEM_ENDS: Final[dict[str, tuple[End, frozenset[Prepare]]]] = {
    "nothing": (_nothing, frozenset(OF_A_SYSTEM)),
    "agency not active": (_off("agencies", "id", "agency_id"), frozenset()),
    "agency closed": (_closed, frozenset()),
    "system suspended": (_suspended, frozenset({a_notice_that_goes_out})),  # the agency's
}


@pytest.fixture
async def stage(client, database, settings, now, unique) -> Stage:
    person = await a_person(database, unique, *ROLE, agency_kind=ROLE[0])
    machine = await a_machine(database, *ROLE, agency_id=person.agency_id)
    app = await an_app(database)
    return Stage(client, database, settings, now, unique, person, machine, app)


async def _open(prepared: dict[Prepare, Way]) -> set[str]:
    return {prepare.__name__ for prepare, tried in prepared.items() if await tried()}


@pytest.mark.parametrize("what", PERSON_ENDS)
async def test_of_a_person(stage, what) -> None:
    prepared = {prepare: await prepare(stage) for prepare in OF_A_PERSON}
    end, leaves = PERSON_ENDS[what]
    async with stage.database.begin(SYSTEM) as tx:
        for who in (stage.person, *stage.more):
            await end(tx, who)
        if what == "app suspended":
            await _switch_off(tx, stage.app)
    assert await _open(prepared) == {prepare.__name__ for prepare in leaves}


@pytest.mark.parametrize("what", SYSTEM_ENDS)
async def test_of_a_system(stage, what) -> None:
    prepared = {prepare: await prepare(stage) for prepare in OF_A_SYSTEM}
    end, leaves = SYSTEM_ENDS[what]
    async with stage.database.begin(SYSTEM) as tx:
        await end(tx, stage.machine)
    assert await _open(prepared) == {prepare.__name__ for prepare in leaves}
