"""So many requests per caller (REL-12, I7), reads and writes apart so that neither starves the
other, and true for all processes of one `tonghu serve` together.

GCRA: all that is kept of a caller is the instant at which its bucket will be full again, in
nanoseconds. It lies in memory that the processes share, at a place found by a keyed hash. Nobody
locks it: two processes that read one cell in the same microsecond both write what comes after one
request, and the second is not counted. So N processes let at most N requests through for one, as
if each kept buckets of its own, and that only if each race is lost. Callers whose keys meet in one
cell share one bucket: with 30,000 callers at once, every thirty-fifth has a neighbour.
"""

import secrets
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil

from app.core.problems import Problem
from app.core.processes import shared

_CELLS = 2**20
_SECOND = 1_000_000_000


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what one caller has of addresses: of IPv6 the /64 that they may choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return address
    return str(found.ipv4_mapped or ip_network((found, 64), strict=False))


class RateLimited(Problem, status=429):
    """The caller sent more requests than its share."""

    title = "Too many requests; wait as long as Retry-After says"
    title_zh = "请求过于频繁;请按 Retry-After 的时间等待后重试"


class RateLimits:
    """`per_second`: how fast a bucket refills; `burst`: how much it holds. Make it before the
    processes that are to share it.
    """

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._each = max(1, round(_SECOND / per_second))
        self._most = burst * self._each
        self._policy = f'"default";q={burst};w={ceil(burst / per_second)}'.encode()
        self._secret = secrets.token_bytes(16)  # nobody can choose whom to share a bucket with
        self._full_at = shared(_CELLS).cast("q")

    def spend(self, key: str, now: datetime) -> tuple[tuple[bytes, bytes], ...]:
        """Take one token; return the answer's RateLimit headers. Raises RateLimited."""
        at = round(now.timestamp() * 1_000_000) * 1_000
        cell = self._cell(key)
        missing = max(self._full_at[cell] - at, 0) + self._each
        if missing > self._most + self._each:  # emptier than empty: the clock was set back
            missing = self._each
        if missing > self._most:
            self._full_at[cell] = at + missing - self._each
            wait = max(1, -((self._most - missing) // _SECOND))
            headers = {"retry-after": str(wait), "ratelimit-policy": self._policy.decode()}
            raise RateLimited(headers={**headers, "ratelimit": f'"default";r=0;t={wait}'})
        self._full_at[cell] = at + missing
        remaining = (self._most - missing) // self._each
        full_in = -(-missing // _SECOND)
        return (
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", f'"default";r={remaining};t={full_in}'.encode()),
        )

    def _cell(self, key: str) -> int:
        found = blake2b(key.encode(), digest_size=8, key=self._secret).digest()
        return int.from_bytes(found) % _CELLS
