"""Passwords: argon2id, in a thread of its own, the same work whether or not the account exists.

One at a time in each process, some forty a second: who guesses takes one core and no more.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

P = ParamSpec("P")
T = TypeVar("T")
SHORTEST = 10
LONGEST = 128
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's minimum for argon2id: some 25 ms and 19 MiB; a school morning needs no bigger machine."""

_GUESSED_AT_ONCE = 3
"""Of zxcvbn's grades 0 to 4: below it, some hundred million guesses find it."""
_GRADED = 32
"""Characters that are graded, in a tenth of a second at most. For a text made for it all 128 took
sixteen seconds, in which nobody's password was compared.
"""

_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")


@cache
def _nobodys() -> str:
    return _HASHER.hash("the account does not exist")


def _normal(password: str) -> str:
    # Chinese input methods give full-width digits and letters: ａ and a are one (NIST SP 800-63B
    # 5.1.1.2; 800-63B-4 has NFC, by which they would be two).
    return unicodedata.normalize("NFKC", password)


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(stored or _nobodys(), _normal(password)) and bool(stored)
    except (VerificationError, InvalidHashError):
        return False


def _unfit(password: str, username: str) -> bool:
    said = _normal(password)
    if not SHORTEST <= len(said) <= LONGEST or username in said.lower():
        return True
    graded = zxcvbn(said[:_GRADED], user_inputs=[username, "tonghu"])
    return bool(graded["score"] < _GUESSED_AT_ONCE)


async def unfit(password: str, username: str) -> bool:
    """Tell whether a new password is one that others find: short, the username, or what leaks have
    shown that people choose (the 30,000 most frequent come with zxcvbn), with years, keys in a row
    or letters doubled as they are added to it.
    """
    return await _apart(_unfit, password, username)


async def hash_of(password: str) -> str:
    return await _apart(_HASHER.hash, _normal(password))


async def matches(stored: str | None, password: str) -> bool:
    """Compare; without a stored hash the same time passes and the answer is no (TOK-10)."""
    return await _apart(_matches, stored, password)


async def _apart(work: Callable[P, T], *arguments: P.args, **_: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work, *arguments)
