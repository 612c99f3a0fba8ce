"""Narrow a list to a region: an annotated parameter of endpoints."""

from typing import Annotated

from fastapi import Depends, Query

from app.core.data.db import Tx
from app.core.http.routing import Transaction
from app.core.http.wire import GivenRegion
from app.core.problems import Problem, raises
from app.regions import queries
from app.regions.rules import BadRegionCode, subtree


class RegionCodeInvalid(Problem, status=400):
    """The digits cannot be a division, or were never one."""

    title = "The region code is not a division code"
    title_zh = "不是有效的区划代码"


async def place_of(tx: Tx, code: str, pointer: str) -> int:
    """Return the division that a code means to whoever narrows a list by it, as `pointer` says: of
    a code of before, what took its place. Raises RegionCodeInvalid.
    """
    try:
        subtree(int(code))
    except BadRegionCode:
        detail = "Use a code of 6, 9 or 12 digits."
        raise RegionCodeInvalid.at(pointer, "region_code_invalid", detail) from None
    place = await queries.ever(tx, int(code), tx.today)
    if place is None:
        raise RegionCodeInvalid.at(pointer, "region_unknown", "No division ever had this code.")
    return place


async def span_of(tx: Tx, code: str | None, pointer: str) -> tuple[int, int] | None:
    """Return the half-open range of codes of `place_of`; None without a code."""
    return None if code is None else subtree(await place_of(tx, code, pointer))


@raises(RegionCodeInvalid)
async def _span(
    tx: Transaction,
    region_code: Annotated[
        GivenRegion | None, Query(description="Only in this region and all below it.")
    ] = None,
) -> tuple[int, int] | None:
    return await span_of(tx, region_code, "region_code")


RegionSpan = Annotated[tuple[int, int] | None, Depends(_span)]
"""The half-open range of codes of the query parameter `region_code`, or of what took the place of
that code; None without one; 400 for what never was one.
"""
