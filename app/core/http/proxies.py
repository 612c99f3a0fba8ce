"""Who asks, when a proxy asks for them: it is believed if it is one of ours, and nobody else is.

The headers by which a proxy says so are anybody's to write. Heard is what the last of our own
proxies says: addresses that are none, and ids that came twice, it does not pass on as such.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.types import Scope

Networks = tuple[IPv4Network | IPv6Network, ...]
_ID = re.compile(rb"(?!\d+[Xx]?$)[A-Za-z0-9_-]{8,64}")
"""Not a number alone, as of a person or a telephone: a proxy may pass on what it was sent."""
_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")
_SCHEMES = frozenset({b"http", b"https"})


@lru_cache(maxsize=4096)
def is_in(address: str, networks: Networks) -> bool:
    """Tell whether an address lies in one of the networks; what is none lies in no network."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in each for each in networks)


def unwrap(scope: Scope, trusted: Networks) -> str | None:
    """Write into the scope for whom a proxy of ours asks: address and scheme. Return the id it
    gives the request, if it gives one. Of anybody else nothing that they say of it counts.
    """
    if not scope.get("client") or not is_in(scope["client"][0], trusted):
        return None
    named = _said(scope, b"x-forwarded-for")
    hops = [_bare(hop.strip()) for hop in b",".join(named).decode("latin-1").split(",") if named]
    if (asker := _asker(hops, trusted)) is not None:
        scope["client"] = (asker, 0)
    schemes = _said(scope, b"x-forwarded-proto")
    if schemes and schemes[-1].strip() in _SCHEMES:
        scope["scheme"] = schemes[-1].strip().decode()
    ids = _said(scope, b"x-request-id")
    return ids[0].decode() if len(ids) == 1 and _ID.fullmatch(ids[0]) else None


def _said(scope: Scope, header: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == header]


def _bare(hop: str) -> str:
    match = _PORT.fullmatch(hop)
    return (match[1] or match[2] or "") if match else hop


def _asker(hops: Sequence[str], trusted: Networks) -> str | None:
    """Return the last address that is not one of our proxies: what stands before it, that one said.
    Where all are ours, the first asks; what is no address ends what is known.
    """
    known: str | None = None
    for hop in reversed(hops):
        try:
            known = str(ip_address(hop))
        except ValueError:
            return known
        if not is_in(known, trusted):
            return known
    return known
