"""The pages behind `type` of every problem document (RFC 9457 §3.1.1)."""

from collections.abc import Iterator
from html import escape

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from app.api.answers import NotFound
from app.core.http import routing
from app.core.problems import Problem

router = APIRouter(include_in_schema=False, generate_unique_id_function=routing.operation_id)


def every_problem(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Yield every kind of problem the loaded code can answer with."""
    for kind in base.__subclasses__():
        yield kind
        yield from every_problem(kind)


@router.get("/problems/{slug}")
async def read_problem(slug: str) -> HTMLResponse:
    """Explain one kind of problem, in Chinese and English."""
    for kind in every_problem():
        if kind.slug() == slug:
            return HTMLResponse(
                "<!doctype html><html lang=en><meta charset=utf-8>"
                f"<title>{escape(kind.title)}</title><h1>{kind.status} {escape(kind.title)}</h1>"
                f"<p lang=zh>{escape(kind.title_zh)}</p><p>{escape(kind.__doc__ or '')}</p></html>"
            )
    raise NotFound
