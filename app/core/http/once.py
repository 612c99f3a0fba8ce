"""What may be shown once is shown once, in all processes of one `tonghu serve` together.

What was seen is kept in memory that the processes share, until it counts no more anyway: of each
thing a keyed fingerprint and the second in which it is forgotten, in one of the sixteen cells where
it may lie. Two processes that are shown the same thing at once ask one after the other. Where all
sixteen are taken, nothing more is let in: whoever is refused comes with something else, which lies
elsewhere.
"""

import secrets
from hashlib import blake2b

from app.core.processes import alone, lockable, shared

_CELLS = 2**21
_WAYS = 16
_SECONDS = 2**24
"""Seconds are kept modulo this: half a year, of which what is kept is minutes."""


class Once:
    """Make it before the processes that are to share it. At 1,000 things a second that count for
    five minutes each, a seventh of the cells is taken.
    """

    def __init__(self, cells: int = _CELLS) -> None:
        lockable()
        self._places = cells // _WAYS
        self._secret = secrets.token_bytes(16)  # nobody can choose whose place to fill
        self._cells = shared(cells).cast("Q")

    def is_first(self, thing: bytes, *, now: int, until: int) -> bool:
        """Tell whether a thing, which counts until the second `until`, is seen for the first time;
        from then on it was seen. False, too, where there is no room to remember it.
        """
        found = int.from_bytes(blake2b(thing, digest_size=8, key=self._secret).digest())
        place = found % self._places
        mark = found // _SECONDS * _SECONDS
        begin = place * _WAYS
        with alone(place):
            room = None
            for cell in range(begin, begin + _WAYS):
                kept = self._cells[cell]
                left = (kept - now) % _SECONDS
                if kept and 0 < left < _SECONDS // 2:
                    if kept - kept % _SECONDS == mark:
                        return False
                elif room is None:
                    room = cell
            if room is None:
                return False
            self._cells[room] = mark + until % _SECONDS
        return True
