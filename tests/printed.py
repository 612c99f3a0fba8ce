"""A row as PostgreSQL prints it, read by somebody who looks for words in it."""

import re


def readable(row: str) -> str:
    """Return a printed row and beside it what its bytes say, which are printed as digits."""
    bytes_ = (bytes.fromhex(digits) for digits in re.findall(r"\\x((?:[0-9a-f]{2})+)", row))
    return "\n".join([row, *(each.decode("utf-8", "replace") for each in bytes_)])
