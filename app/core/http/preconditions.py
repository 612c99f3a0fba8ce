"""Versions and ETags: a change names the version it is based on (design D4, RFC 9110 §13)."""

from typing import Annotated, Final

from fastapi import Depends, Header, Request

from app.core.problems import Problem, raises


class PreconditionRequired(Problem, status=428):
    """A change must name the version it is based on."""

    title = "Send If-Match with the ETag you last read"
    title_zh = "请在 If-Match 中提供最近读取到的 ETag"


class PreconditionFailed(Problem, status=412):
    """Somebody changed it meanwhile."""

    title = "It was changed meanwhile; read it again and repeat the change"
    title_zh = "记录已被他人修改;请重新读取后再提交"


def etag(version: int) -> str:
    return f'"{version}"'


TRIED: Final = "tried"
"""In the scope of a request that is done and taken back: of whichever version there is."""
_ANY: Final = -1


@raises(PreconditionRequired, PreconditionFailed)
async def _if_match(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(
            max_length=40,
            pattern=r'^"[0-9]{1,9}"$',
            description="The ETag of the version this change is based on.",
            examples=['"1"'],
        ),
    ] = None,
) -> int:
    if request.scope.get(TRIED):
        return _ANY
    if if_match is None:
        raise PreconditionRequired.at("If-Match", "if_match_missing", "Send the ETag.")
    return int(if_match.strip('"'))


IfMatch = Annotated[int, Depends(_if_match)]
"""The version the caller read, from the If-Match header; 428 without."""


def check_version(stored: int, if_match: int) -> None:
    """Raise PreconditionFailed unless the change is based on the stored version."""
    if if_match not in {stored, _ANY}:
        raise PreconditionFailed
