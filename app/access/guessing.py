"""Guesses at the door that are many together, each of which alone would not be seen (TOK-10)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.access import sign_in
from app.access.events import Alarm
from app.core.data.db import Tx
from app.core.http.rate_limits import RateLimited

_SPRAYED: Final = """
SELECT (SELECT count(*) FROM (SELECT FROM sign_in_places WHERE network_index = $1
            AND failed_at > $3 AND known_until IS NULL LIMIT $4) AS names) AS names,
       (SELECT count(*) FROM (SELECT FROM sign_in_places WHERE name_index = $2
            AND failed_at > $3 AND known_until IS NULL LIMIT $4) AS networks) AS networks
"""
_SPRAYED_WITHIN: Final = timedelta(hours=1)
_SPRAYED_AT: Final = 10


class Sprayed(NamedTuple):
    """Guesses that are many together: of what kind, how many by now, and of what network or name
    the trace in the record is `due`.
    """

    alarm: Alarm
    number: int
    due: bool


async def sprayed(
    tx: Tx, limits: sign_in.Limits, username: str, compared: sign_in.Compared
) -> Sequence[Sprayed]:
    """Tell whether somebody tries many names from one network, or one name from many: none of which
    ever signed in there. Each alone makes no fifth try, and would not be seen.
    """
    index = sign_in.name_index(tx.keyring, username)
    found = await tx.connection.fetchrow(
        _SPRAYED, compared.network, index, tx.now - _SPRAYED_WITHIN, _SPRAYED_AT
    )
    return [
        Sprayed(kind, number, is_due(limits, f"{kind} {of.hex()}", tx.now))
        for kind, number, of in (
            (Alarm.names_sprayed, found["names"], compared.network),
            (Alarm.networks_sprayed, found["networks"], index),
        )
        if number >= _SPRAYED_AT
    ]


def is_due(limits: sign_in.Limits, what: str, now: datetime) -> bool:
    """Tell, once an hour, that an alarm is to be raised."""
    try:
        limits.alarms.spend(what, now)
    except RateLimited:
        return False
    return True
