"""What arranging offices and their posts have in common: places, remits and refusals."""

from app.access.principal import Principal
from app.agencies import operations
from app.core.data.db import Tx
from app.core.problems import Problem
from app.regions import queries as regions
from app.regions import rules


class AgencyNotFound(Problem, status=404):
    """There is no such agency."""

    title = "No such agency"
    title_zh = "没有这个机构"


class OutsideRemit(Problem, status=403, denies=True):
    """The place is not the caller's to arrange."""

    title = "The place lies outside your remit"
    title_zh = "该地区不在您的职责范围内"


async def place_of(tx: Tx, code: str) -> int:
    """Turn a well-formed code into that of the place today. One that is no place's is left to the
    operation to refuse, unless it cannot be one: that raises RegionUnknown.
    """
    number = int(code)
    if not rules.is_valid_code(number):
        raise operations.RegionUnknown
    return await regions.current(tx, number, tx.today) or number


def require_remit(principal: Principal, region_code: int) -> None:
    if not principal.region_lo <= region_code < principal.region_hi:
        raise OutsideRemit
