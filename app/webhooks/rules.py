"""Where deliveries may go, when they are tried again, and what an answer means. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal
from urllib.parse import urlsplit

DeliveryClass = Literal["M", "S"]


def of_package(wire_name: str) -> str:
    """Return what stands for all events of the package of one."""
    return f"{wire_name.partition('.')[0]}.*"


# --- when (R6, R8) -------------------------------------------------------------------------------

SCHEDULE_S: Final = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds to wait after the first, second … failure of a subscriber delivery; the last step repeats
until it was held long enough.
"""
HELD_FOR: Final = timedelta(days=30)
"""How long a subscriber delivery is kept for an endpoint that fails or is switched off (R15)."""

SCHEDULE_M: Final = (5, 30, 120, 300, 900)
"""The same for a mandatory delivery; the last step repeats without end."""

_LONGEST: Final = {"M": timedelta(minutes=15), "S": timedelta(hours=24)}
OVERDUE_AFTER: Final = timedelta(minutes=15)
"""An undelivered mandatory delivery is announced to people after this (R6)."""


def next_attempt(
    delivery_class: DeliveryClass,
    failures: int,
    failed_at: datetime,
    *,
    queued_at: datetime,
    not_before: datetime | None = None,
    random: float,
) -> datetime | None:
    """Say when to try again after the `failures`-th failure in a row (1…); None: give up.

    Only S gives up, thirty days after it was queued. Jitter is ±20 % by `random` in [0, 1).
    """
    schedule = SCHEDULE_M if delivery_class == "M" else SCHEDULE_S
    if delivery_class == "S" and failures > len(schedule) and failed_at - queued_at >= HELD_FOR:
        return None
    seconds = schedule[min(failures, len(schedule)) - 1]
    again = failed_at + timedelta(seconds=seconds * (0.8 + 0.4 * random))
    return again if not_before is None else max(again, not_before)


def not_before(
    delivery_class: DeliveryClass, header: str | None, failed_at: datetime
) -> datetime | None:
    """Say until when a receiver asked not to be tried again: its Retry-After is kept to, up to 24 h
    for S and 15 minutes for M.
    """
    asked = retry_after(header, failed_at)
    return None if asked is None else failed_at + min(asked, _LONGEST[delivery_class])


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds or an HTTP-date (RFC 9110 §10.2.3); None if unusable."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return timedelta(seconds=int(header))
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return max((until if until.tzinfo else until.replace(tzinfo=UTC)) - now, timedelta())


# --- what an answer means (R7) -------------------------------------------------------------------

_OVERLOADED: Final = frozenset({429, 502, 503, 504})
FULL_CONCURRENCY: Final = 16
"""What an endpoint gets at a time until it has shown that it stands more."""
MOST: Final = 256
_QUICK: Final = timedelta(seconds=1)
_BREAKER_FAILURES: Final = 10
_BREAKER_PAUSE: Final = timedelta(seconds=30)


def succeeded(status: int | None) -> bool:
    """Tell whether an answer counts as delivered: the 2xx status line decides, nothing else."""
    return status is not None and 200 <= status <= 299  # noqa: PLR2004  the class of statuses


def refuses_for_good(delivery_class: DeliveryClass, status: int | None, said: str | None) -> bool:
    """Tell whether the receiver asked us to stop. Never heeded for a mandatory delivery."""
    return delivery_class == "S" and (status == 410 or said == "abort-message")  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Gate:
    """How much one endpoint is sent at a time (R8, R14).

    `limit`: deliveries in flight. `failures`: in a row. Until `paused_until` nothing is sent; then
    one delivery probes. Waiting at the gate does not use up attempts.
    """

    limit: int = FULL_CONCURRENCY
    failures: int = 0
    paused_until: datetime | None = None

    def room(self, now: datetime) -> int:
        return 0 if self.paused_until is not None and now < self.paused_until else self.limit


def gate_after(
    gate: Gate, status: int | None, *, took: timedelta, timed_out: bool, now: datetime
) -> Gate:
    """Move an endpoint's gate after an attempt: overload closes it to one, success opens it, and
    further with each quick one. One that is slow would hold its slots at everybody's expense.
    """
    if succeeded(status):
        opened = min(gate.limit * 2, FULL_CONCURRENCY)
        return Gate(min(max(gate.limit + 1, opened), MOST) if took <= _QUICK else opened)
    failures = gate.failures + 1
    if failures >= _BREAKER_FAILURES:
        return Gate(1, failures, now + _BREAKER_PAUSE)
    # One that hangs would hold its slots for the whole deadline, at everybody's expense.
    limit = min(gate.limit, FULL_CONCURRENCY)
    return Gate(1 if timed_out or status in _OVERLOADED else limit, failures)


_DOWN: Final = 3
"""Failures in a row after which an endpoint, or the way to it, was away."""


def is_back(gate: Gate, failures: int, status: int | None) -> bool:
    """Tell whether an answer shows that an endpoint is there again: after several failures in a
    row, of it or, as another worker may have seen them, of this delivery.
    """
    return succeeded(status) and max(gate.failures, failures) >= _DOWN


# --- where to (R11) ------------------------------------------------------------------------------

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Not `is_global`: on Python 3.11 it calls NAT64, 6to4 and multicast addresses global.
_DENIED: Final[tuple[Network, ...]] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # protocol assignments, Teredo and ORCHID among them
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
# All else in IPv6 is loopback, local, multicast, mapped, translated, or not assigned to anybody.
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def address_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """Tell whether a concrete address may be dialled. The operator's networks come first."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address_allowed(address.ipv4_mapped, allowed)
        carried = _carried_v4(address)
        if carried is not None and not address_allowed(carried, allowed):
            return False
    if any(address in network for network in allowed):
        return True
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
        return False
    return not any(address in network for network in _DENIED)


def _carried_v4(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


_HOST: Final = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*"
)
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:/?\[\]!$&'()*+,;=%-]{1,2000}")


def url_allowed(
    url: str, *, allow_http: bool, ports: Sequence[int], allowed: Sequence[Network]
) -> bool:
    """Tell whether a URL may be an endpoint: https, a permitted port, a plain public host name.

    No user, fragment, odd spelling of an address, trailing dot. An address in place of a name is
    taken only inside the operator's networks.
    """
    if not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        port = {"https": 443, "http": 80}[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        return False
    if (parts.scheme == "http" and not allow_http) or port not in ports:
        return False
    host = parts.hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return _HOST.fullmatch(host) is not None
    return str(address) == host and any(address in network for network in allowed)
