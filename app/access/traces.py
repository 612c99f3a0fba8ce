"""What is left of tokens that nobody issued: one trace of each address and reason, now and then.

A forged token names nobody, so a row for each would tell no more than the first did, and whoever
forges them would write the record as fast as they like. How many there were stands in the figures
(`/metrics`, status 401).
"""

from contextlib import suppress

from fastapi import Request

from app.access.oauth import Origin
from app.audit import operations as audit
from app.core.data.db import Database
from app.core.http.rate_limits import RateLimited, RateLimits, network_of
from app.core.http.shown import Seen
from app.core.problems import Problem

TEN_MINUTES = 1 / 600
"""How many traces a second an address leaves for one reason."""
_OF_ALL = "of all"


class Traces:
    """How many are left. Make it before the processes that are to share it. `of_all`: from however
    many addresses they come.
    """

    def __init__(self) -> None:
        self.of_each = RateLimits(per_second=TEN_MINUTES, burst=1)
        self.of_all = RateLimits(per_second=1, burst=60)


def is_due(request: Request, reason: str) -> bool:
    """Tell whether a trace of who asks is to be left for a reason, and count it."""
    traces: Traces = request.state.traces
    now = request.state.database.clock()
    try:
        traces.of_each.spend(f"{network_of(_address(request) or '')} {reason}", now)
        traces.of_all.spend(_OF_ALL, now)
    except RateLimited:
        return False
    return True


async def leave(request: Request, operation: str, reason: str) -> None:
    """Record that somebody who is nobody asked for an operation, unless that was lately. What
    cannot be recorded now is left: it is answered all the same.
    """
    if not is_due(request, reason):
        return
    database: Database = request.state.database
    actor = Origin(request.scope["request_id"], _address(request)).actor(None)
    with suppress(Problem):
        async with database.begin() as tx:
            await audit.record(tx, actor, operation, Seen(decision="denied", rule=reason))


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None
