"""A token bucket per caller (REL-12, I7), reads and writes apart so that neither starves the other.

Buckets live in the process: with N web processes a caller may get up to N times the rate.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from app.core.problems import Problem

_MOST_BUCKETS = 50_000


class RateLimited(Problem, status=429):
    """The caller sent more requests than its share."""

    title = "Too many requests; wait as long as Retry-After says"
    title_zh = "请求过于频繁;请按 Retry-After 的时间等待后重试"


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimits:
    """`per_second`: how fast a bucket refills; `burst`: how much it holds."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._rate = per_second
        self._burst = burst
        self._policy = f'"default";q={burst};w={ceil(burst / per_second)}'.encode()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def spend(self, key: str, now: datetime) -> tuple[tuple[bytes, bytes], ...]:
        """Take one token; return the answer's RateLimit headers. Raises RateLimited."""
        at = now.timestamp()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(self._burst), at)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)  # the one not seen for longest: long full again
        else:
            self._buckets.move_to_end(key)
            refilled = bucket.tokens + max(0.0, at - bucket.at) * self._rate
            bucket.tokens, bucket.at = min(refilled, float(self._burst)), at
        if bucket.tokens < 1:
            wait = max(1, ceil((1 - bucket.tokens) / self._rate))
            headers = {"retry-after": str(wait), "ratelimit-policy": self._policy.decode()}
            raise RateLimited(headers={**headers, "ratelimit": f'"default";r=0;t={wait}'})
        bucket.tokens -= 1
        remaining = int(bucket.tokens)
        full_in = ceil((self._burst - remaining) / self._rate)
        return (
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", f'"default";r={remaining};t={full_in}'.encode()),
        )
