"""What it costs a read to be counted, where no statement is due.

.venv/bin/python -m bench.budgets
"""

import asyncio
from time import process_time
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from app import wiring
from app.access.budgets import ReadingBudgets
from app.access.principal import Principal
from app.access.roles import Purpose, role
from app.core.clock import utc_now

READS, CALLERS, PAGE = 50_000, 1_000, 50


def _somebody() -> Principal:
    return Principal(
        subject=f"client:{uuid4()}",
        staff_id=None,
        client_id=uuid4(),
        agency_id=uuid4(),
        agency_kind="civil_affairs",
        role=role("civil_affairs"),
        region_code=120000000000,
        region_lo=120000000000,
        region_hi=130000000000,
        scopes=frozenset(),
        request_id="-",
        ip=None,
        purpose=Purpose.care,
    )


async def main() -> None:
    """Print it."""
    wiring.load()
    now = utc_now()
    tx: Any = SimpleNamespace(now=now, today=now.date())
    budgets, callers = ReadingBudgets(), [_somebody() for _ in range(CALLERS)]
    children = [uuid4() for _ in range(PAGE)]
    for caller in callers:  # shown once: a system is told of by the thousand, later
        await budgets.require(tx, caller).add(tx, caller, children)
    began = process_time()
    for number in range(READS):
        caller = callers[number % CALLERS]
        await budgets.require(tx, caller).add(tx, caller, children)
    each = (process_time() - began) / READS
    print(f"{each * 1e6:.1f} µs of CPU a page of {PAGE}, {each * 1_000:.1%} of a core at 1,000")


if __name__ == "__main__":
    asyncio.run(main())
