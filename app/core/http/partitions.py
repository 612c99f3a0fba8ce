"""Parts of a list, for who reads all of it: each is followed by itself, side by side."""

from collections.abc import Callable
from inspect import signature
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from app.core.http import cursors
from app.core.http.paging import CursorText, Paged, Window
from app.core.http.shown import Shown

MOST = 32
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Number = Annotated[
    int,
    Query(ge=1, le=MOST, description="Into how many parts at most.", examples=[4]),
]


class Partitions(BaseModel):
    """The parts of a list."""

    cursors: list[CursorText] = Field(
        min_length=1,
        max_length=MOST,
        description="Of each part where it begins: pass as `cursor` to the list, with the same"
        " filters, and go on by `next_cursor` until that is null. Together the parts hold each item"
        " of the list once. Whoever reads them side by side need not begin anew: a cursor stays"
        " valid.",
        examples=[["A2ExYjLp0cHrT4uKzw", "A2ExYjJx7fQ0a9Vd2g"]],
    )


def of(router: APIRouter, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
    """Let a list be divided: under `path` it is asked with the same filters, and answers the
    cursors of its parts instead of a page. The list hands its `window` to `paging.fetch`, and that
    a `place`, of which `sampling.indexes` are.
    """

    def declare(endpoint: Endpoint) -> Endpoint:
        asked = signature(endpoint)

        async def parted(request: Request, number: Number = 8) -> Window:
            return Window(cursors.of(request, endpoint.__name__), parts=number)

        parameters = [
            each.replace(annotation=Annotated[Window, Depends(parted)])
            if each.annotation == Paged
            else each
            for each in asked.parameters.values()
        ]
        what = endpoint.__name__.removeprefix("list_")

        async def partition(**given: Any) -> Shown[Partitions]:
            shown = await endpoint(**given)
            return Shown({"cursors": shown.value["cursors"]}, groups=shown.groups)

        partition.__name__ = f"partition_{what}"
        partition.__doc__ = (
            f"Divide the list of {what} into parts of about the same size, to be read side by side."
        )
        told: Any = partition
        told.__signature__ = asked.replace(
            parameters=parameters, return_annotation=Shown[Partitions]
        )
        told.__annotations__ = {each.name: each.annotation for each in parameters} | {
            "return": Shown[Partitions]
        }
        router.get(path, **options)(partition)
        return endpoint

    return declare
