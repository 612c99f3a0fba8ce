"""A route lists the problems of its own operation; the document gets the others by itself."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Response
from fastapi.routing import RouteContext

from app.api import openapi
from app.core.http import routing
from app.core.problems import MEDIA_TYPE, Problem, documented, raises


class HouseFull(Problem):
    """A problem of these tests."""

    status = 409
    title = title_zh = "Full"


class DoorLocked(Problem):
    """Another."""

    status = 409
    title = title_zh = "Locked"


@raises(HouseFull)
async def _house() -> None: ...


def _app(*listed: type[Problem]) -> FastAPI:
    router = routing.router("Access")

    @router.get("/v1/rooms", responses=documented(*listed))
    async def read_room(_: Annotated[None, Depends(_house)]) -> Response:
        """Read."""
        return Response()

    app = FastAPI()
    app.include_router(router)
    return app


def _needless(route: RouteContext, operation: openapi.Json) -> set[str]:
    listed = {
        slug
        for response in route.responses.values()
        for slug in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ())
    }
    return listed & {kind.slug() for kind in openapi.implied(operation, route.dependant)}


def _needlessly_listed(app: FastAPI, document: dict[str, Any]) -> dict[str, set[str]]:
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    found = {
        route.unique_id: _needless(route, operations[route.unique_id])
        for route in openapi.described(app)
    }
    return {name: slugs for name, slugs in found.items() if slugs}


def test_no_route_lists_what_the_document_gets_anyway(app, document) -> None:
    assert _needlessly_listed(app, document) == {}


def test_one_that_does_is_found() -> None:
    app = _app(DoorLocked, HouseFull)
    assert _needlessly_listed(app, openapi.document(app)) == {"readRoom": {"house-full"}}


def test_what_a_dependency_raises_is_documented_listed_or_not() -> None:
    left_out, listed = (
        openapi.document(app)["paths"]["/v1/rooms"]["get"]["responses"]["409"]
        for app in (_app(DoorLocked), _app(DoorLocked, HouseFull))
    )
    assert left_out == listed == {"$ref": "#/components/responses/409-door-locked-or-house-full"}
