"""A person's life with an agency: entered and invited, suspended, reset, gone."""

from typing import Final
from uuid import UUID

from app.access import accounts
from app.access import operations as access
from app.access.models import Opens
from app.agencies import operations as agencies
from app.core.data.db import Tx


async def enter(
    tx: Tx, agency_id: UUID, *, name: str, username: str
) -> tuple[UUID, accounts.Issued]:
    """Take a person into an agency, with an account and an invitation to choose a password. Raises
    UsernameInvalid, UsernameTaken.
    """
    account_name = access.usable_username(username)
    async with tx.as_system():
        person = await agencies.hire(tx, agency_id, name)
        if not await accounts.open_account(tx, person.id, account_name):
            raise access.UsernameTaken
        return person.id, await accounts.invite(tx, person.id, "account")


async def invite(tx: Tx, staff_id: UUID, opens: Opens) -> accounts.Issued:
    async with tx.as_system():
        return await accounts.invite(tx, staff_id, opens)


async def set_active(tx: Tx, staff_id: UUID, *, active: bool) -> None:
    async with tx.as_system():
        await accounts.set_active(tx, staff_id, active=active)


_LEAVES: Final = """
UPDATE post_holdings SET until = greatest(since, $2::date)
WHERE staff_id = $1 AND (until IS NULL OR until > $2::date)
"""


async def end(tx: Tx, staff_id: UUID) -> None:
    """Let a person go: their account, all their posts from today, and whatever is open."""
    async with tx.as_system():
        await accounts.set_active(tx, staff_id, active=False)
        await tx.connection.execute("UPDATE staff SET active = false WHERE id = $1", staff_id)
        await tx.connection.execute(_LEAVES, staff_id, tx.today)


async def end_sign_ins(tx: Tx, staff_id: UUID) -> int:
    """End all a person has open, in one act: a phone is lost. Return how much that was."""
    async with tx.as_system():
        return await accounts.end_sign_ins(tx, staff_id)
