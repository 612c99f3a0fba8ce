"""What is said, and used, where a process has other keys than its database (ADR 62)."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Never

from app.core.clock import utc_now
from app.core.problems import Cause, Problem


class KeysWrong(Problem, status=503):
    """The keys of this process are not those of the database, so it shows and stores nothing; only
    reports to the police are taken in. Try again.
    """

    cause = Cause.wrong_keys
    title = "This server cannot open the files at this moment; try again"
    title_zh = "服务器当前无法打开档案;请稍后重试"

    def __init__(self) -> None:
        super().__init__(headers={"retry-after": "5"})


class WrongKeys(NamedTuple):
    """That a process has other keys than the database: which, and by what it verifies tokens."""

    told: str
    verifying: Mapping[str, Mapping[str, str]]


class Withheld(Mapping[str, Any]):
    """Keys that are not to be used: whoever asks for one is refused."""

    def __getitem__(self, kid: str) -> Never:
        raise KeysWrong

    def __iter__(self) -> Iterator[str]:
        raise KeysWrong

    def __len__(self) -> int:
        raise KeysWrong


WITHHELD: Final = Withheld()
_SIGHT: Final = timedelta(minutes=30)
_STEP: Final = timedelta(minutes=1)


def lost_sight(compared: datetime | None) -> bool:
    """Tell whether keys were last compared with the database too long ago to make anything by them:
    an hour after another is used, one of before may be dropped. A clock that was set back tells
    nothing of how long that was.
    """
    return compared is not None and not -_STEP <= utc_now() - compared <= _SIGHT
