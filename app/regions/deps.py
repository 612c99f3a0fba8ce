"""Narrow a list to a region: an annotated parameter of endpoints."""

from typing import Annotated

from fastapi import Depends, Query

from app.core.http.routing import Transaction
from app.core.http.wire import GivenRegion
from app.core.problems import Problem, raises
from app.regions import queries
from app.regions.rules import BadRegionCode


class RegionCodeInvalid(Problem, status=400):
    """The digits cannot be a division."""

    title = "The region code is not a division code"
    title_zh = "不是有效的区划代码"


@raises(RegionCodeInvalid)
async def _span(
    tx: Transaction,
    region_code: Annotated[
        GivenRegion | None, Query(description="Only in this region and all below it.")
    ] = None,
) -> tuple[int, int] | None:
    if region_code is None:
        return None
    try:
        return await queries.span(tx, int(region_code), tx.today)
    except BadRegionCode:
        detail = "Use a code of 6, 9 or 12 digits."
        raise RegionCodeInvalid.at("region_code", "region_code_invalid", detail) from None


RegionSpan = Annotated[tuple[int, int] | None, Depends(_span)]
"""The half-open range of codes of the query parameter `region_code`, or of what took the place of
that code; None without one; else 400.
"""
