"""The key of each child, under which what is sealed of it is sealed (ADR 63)."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, PrimaryKeyConstraint
from sqlmodel import Field, SQLModel

from app.core.data import distribution, former, keys, rls, sealed, sql
from app.core.data.db import Tx
from app.core.data.envelopes import Owner, Whose, of_child


class ChildKey(SQLModel, table=True):
    """A child's key, wrapped by a data key of the file; empty once it was erased.

    Of no use without the file of keys, so that whoever may read a row sealed under it, wherever the
    child lives by now, finds it.
    """

    __tablename__ = "child_keys"
    __table_args__: Any = (
        PrimaryKeyConstraint("child_id", "home_county"),
        ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
    )

    child_id: UUID
    home_county: int = Field(sa_type=BigInteger)
    wrapped: bytes


distribution.by("child_keys", distribution.COUNTY)
rls.allow("child_keys", "SELECT, INSERT, UPDATE")
keys.kept_in(Whose.child, keys.Kept("child_keys", "child_id", "wrapped", "children"))


async def made(tx: Tx, child_id: UUID) -> bytes | None:
    """Make the key of a child whose file is being opened; None while that has to wait. One
    statement.
    """
    owner = of_child(child_id)
    if await former.may_run(tx):
        keys.wait(tx.keyring, owner)
        return None
    return keys.make(tx.keyring, owner)


async def store(tx: Tx, home_county: int, child_id: UUID, wrapped: bytes | None) -> None:
    """Store a key that was made (`made`), after its file; None: it waits."""
    if wrapped is not None:
        key = {"home_county": home_county, "child_id": child_id, "wrapped": wrapped}
        await sql.insert(tx.connection, "child_keys", key)


async def of(tx: Tx, row: Mapping[str, Any]) -> Owner:
    """Return under whose key is sealed what is said on a row below a child, and open it. One
    statement, none if it is open.
    """
    owner = of_child(row["child_id"])
    await keys.load(tx, [owner], row["home_county"])
    return owner


KEY_OF_FILE: Final = keys.with_key(Whose.child, "c.home_county", "c.id")
"""What brings the key of `children c` along."""


def key_below(alias: str) -> str:
    """Return what brings along the key of the child that a row is below."""
    return keys.with_key(Whose.child, f"{alias}.home_county", f"{alias}.child_id")


_SECTIONS: Final = (
    *("identity", "hukou", "residence", "family", "adoption", "guardianship", "education"),
    *("health", "welfare", "external", "as_sent"),
)
sealed.under_service("child_keys", {"wrapped": "child_keys.wrapped"}, row="t.child_id::text")
sealed.under(
    Whose.child,
    "children",
    sealed.named("children", *(f"{each}_sealed" for each in _SECTIONS)),
    owner="t.id",
)
sealed.below_child("child_facts", sealed.named("child_facts", "value_sealed"))
sealed.below_child("child_changes", sealed.named("child_changes", "changes_sealed"))
sealed.below_child("duplicate_referrals", sealed.named("duplicate_referrals", "submitted_sealed"))
