"""Which route answers a path, looked up by where it begins: there are more than a hundred.

The framework asks one route after the other. Here only those are asked whose first two parts the
path has, in the same order; what none of them takes goes the way of the framework: 404 or 405.
"""

from collections import defaultdict
from typing import Any

from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

from app.core.http.admission import corner


def by_corner(router: Router) -> Any:
    """Return what finds the routes of a router. Each begins with two parts that are no parameter,
    or is a path of its own, so that no other corner's could have come before it.
    """
    routes: dict[str, list[BaseRoute]] = defaultdict(list)
    for route in router.routes:
        if isinstance(route, Route):
            routes[corner(route.path)].append(route)

    async def find(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for route in routes.get(corner(scope["path"]), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    await route.handle(scope, receive, send)
                    return
        await router.app(scope, receive, send)

    return find
