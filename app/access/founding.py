"""The two operators with whom a service begins: named once, when there are none."""

import secrets
from typing import Final, NamedTuple
from uuid import UUID

from app.access import accounts, operations
from app.access.models import Client
from app.access.operations import FoundedAlready, UsernameTaken
from app.access.sign_in import normal_username
from app.agencies import operations as agencies
from app.agencies.models import AgencyKind
from app.audit import operations as audit
from app.core.data.db import Tx
from app.core.http.shown import Seen
from app.regions.rules import NATION

COMMAND: Final = "tonghu"
"""The app in whose name a command acts. It has no address, so no browser signs in through it."""
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('founding', 53))"
_FOUNDED: Final = "SELECT true FROM agencies WHERE kind = 'operator' LIMIT 1"


class Named(NamedTuple):
    """A person to be an operator."""

    name: str
    username: str


class Founder(NamedTuple):
    """An operator, with what is shown this once: a password, and the code with which they set up
    their second factor.
    """

    staff_id: UUID
    username: str
    password: str
    code: str


async def found(tx: Tx, agency_name: str, first: Named, second: Named) -> tuple[Founder, Founder]:
    """Name two persons as the operators of the service, once. Needs the SYSTEM reach. Raises
    FoundedAlready, UsernameTaken and what `operations.create_staff` raises.
    """
    await tx.connection.execute(_ONE_AT_A_TIME)
    if await tx.connection.fetchval(_FOUNDED):
        raise FoundedAlready
    if normal_username(first.username) == normal_username(second.username):
        raise UsernameTaken
    agency = await agencies.create_agency(tx, AgencyKind.operator, agency_name, NATION)
    await tx.add(Client(kind="app", name=COMMAND, created_at=tx.now))
    founders = []
    for one in (first, second):
        password = secrets.token_urlsafe(15)
        holding = await operations.create_staff(
            tx,
            agency,
            name=one.name,
            username=one.username,
            password=password,
            role="operator",
            region_code=NATION,
        )
        invited = await accounts.invite(tx, holding.staff_id, "second_factor")
        founders.append(Founder(holding.staff_id, one.username, password, invited.code))
    await audit.record(tx, audit.SYSTEM, "nameOperators", Seen(subject=agency.id))
    return founders[0], founders[1]
