"""Lists of children's files, a row each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from app.access.acts import Act
from app.access.principal import Principal
from app.children import queries, sealing
from app.core.data.db import Tx
from app.core.data.sampling import Place
from app.core.data.sql import Where
from app.core.http import paging
from app.core.http.wire import region_text

_SUMMARY: Final = (
    f"SELECT c.id, c.version, c.updated_at, {sealing.NAMED}, c.sex, c.birth_date,"
    f" {queries.DERIVED} FROM children c"
)
_WITH_NUMBERS: Final = " JOIN resident_ids r ON r.home_county = c.home_county AND r.child_id = c.id"
_BY_REGION: Final = paging.Order({"c.region_code": int, "c.id": UUID})


async def list_page(
    tx: Tx,
    principal: Principal,
    conditions: Mapping[str, Any],
    window: paging.Window,
    act: Act | None = None,
    arms: Callable[[Where], Sequence[str]] | None = None,
    region: tuple[int, int] | None = None,
) -> paging.Rows:
    """List visible children that meet `conditions`, by (region, id): SQL with `{}` for the value →
    value, None for any. The alias `r` is the table of resident numbers, if a condition names it.
    `arms`: see `paging.fetch`; by each of them few are found. One statement.
    """
    select = _SUMMARY + _WITH_NUMBERS * any("r." in sql for sql in conditions)
    where = queries.visible(principal)
    if (
        arms is not None
        or "r.index = ANY({}::bytea[])" in conditions
        or ("c.birth_date = {}" in conditions and principal.school_id is None)
    ):
        where.checked()
    where.add_given(conditions)
    if region is not None:
        where.add("c.region_code >= {} AND c.region_code < {}", *region)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="c")
    either = () if arms is None else arms(where)
    place = Place("children c", *principal.within(region))
    return await paging.fetch(tx, select, where, _BY_REGION, window, either, place)


_AT_ONCE: Final = 500


async def sift(
    tx: Tx,
    principal: Principal,
    conditions: Mapping[str, Any],
    window: paging.Window,
    fits: Callable[[str], bool],
) -> paging.Rows:
    """As `list_page`, those whose name fits: of few, who are compared one by one. A statement for
    each 500 of them, until the page is full.
    """
    found: list[Any] = []
    cursor = window.cursor
    while True:
        part = replace(window, limit=max(_AT_ONCE, window.limit), cursor=cursor)
        page = await list_page(tx, principal, conditions, part)
        found += [row for row in page.rows if fits(sealing.named(tx.keyring, row)[0])]
        cursor = page.next_cursor
        if len(found) > window.limit:
            shown = found[: window.limit]
            last = [shown[-1][name] for name in ("region_code", "id")]
            return paging.Rows(shown, window.cursors.seal(last))
        if cursor is None:
            return paging.Rows(found, None)


def summary(
    tx: Tx, principal: Principal, row: Mapping[str, Any], told: Sequence[str]
) -> dict[str, Any]:
    """Show a list's row on the wire, as the role reads it; `told`: what the caller may do."""
    reads = principal.role.reads
    shown: dict[str, Any] = {
        "id": row["id"],
        "version": row["version"],
        "updated_at": row["updated_at"],
        "permitted": told,
    }
    if "identity" in reads:
        name, pinyin = sealing.named(tx.keyring, row)
        shown["identity"] = {
            "name": name,
            "name_pinyin": pinyin,
            "sex": row["sex"],
            "birth_date": row["birth_date"],
        }
    if "residence" in reads:
        shown["residence"] = {"region_code": region_text(row["region_code"])}
    if "derived" in reads:
        shown["derived"] = queries.derived_of(row, principal)
    return shown


async def find_by_number(tx: Tx, principal: Principal, indexes: Sequence[bytes]) -> UUID | None:
    """Find the visible child that bears a resident number, by its blind indexes."""
    where = queries.visible(principal).checked().add("r.index = ANY({}::bytea[])", indexes)
    found: UUID | None = await tx.connection.fetchval(
        f"SELECT c.id FROM children c{_WITH_NUMBERS} WHERE {where}", *where.arguments
    )
    return found
