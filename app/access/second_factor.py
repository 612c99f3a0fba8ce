"""The second factor of a desk: a code of an authenticator (TOTP, RFC 6238), or one of ten codes on
paper for the day that it is lost.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import pyotp
from pyotp.utils import strings_equal

from app.core.data.crypto import Keyring

PLACE: Final = "staff_accounts.totp"
_STEP_SECONDS: Final = 30
_PAPER: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""What is written on paper is read from it: no 0 and o, no 1 and l and i."""
_CODES: Final = 10


def new_secret() -> str:
    """Make the secret that an authenticator and we share: 160 bits, base32."""
    return pyotp.random_base32()


def address(secret: str, username: str, service: str) -> str:
    """Write what an authenticator reads, as a picture or a link."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=service)


def step_of(secret: str, code: str, now: datetime, *, after: int | None) -> int | None:
    """Return the step of thirty seconds that a code is of: this one, the one before or the one
    after it, for clocks differ; None if it is of none of them, or not of one `after` that of which
    a code was used last: a code counts once (RFC 6238 §5.2).
    """
    if not (code.isascii() and code.isdigit()):
        return None
    current = int(now.timestamp()) // _STEP_SECONDS
    totp = pyotp.TOTP(secret)
    return next(
        (
            step
            for step in (current, current - 1, current + 1)
            if strings_equal(totp.at(step * _STEP_SECONDS), code)
            and (after is None or step > after)
        ),
        None,
    )


def written(code: str) -> str:
    """Return a code as it is compared: people write spaces and hyphens into it, and capitals."""
    return "".join(each for each in code.lower() if each not in " -\u3000")[:40]


def recovery_codes() -> list[str]:
    """Make codes for paper, of some 49 bits each: nobody guesses one in the tries there are."""
    made = ("".join(secrets.choice(_PAPER) for _ in range(10)) for _ in range(_CODES))
    return [f"{each[:5]}-{each[5:]}" for each in made]


def hashes(keyring: Keyring, staff_id: UUID, codes: Iterable[str]) -> list[bytes]:
    """Hash codes for storage, keyed: whoever has the database alone can try none."""
    return [keyring.blind_index("recovery", f"{staff_id} {written(each)}") for each in codes]


def invitation_code() -> str:
    """Make the code of an invitation, to be read out or written down: some 79 bits."""
    made = "".join(secrets.choice(_PAPER) for _ in range(16))
    return "-".join(made[start : start + 4] for start in range(0, 16, 4))
