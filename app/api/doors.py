"""Deny by default: every route names exactly one scope or stands on the public list (AZ-1)."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from app.access.acts import BadGuard, Guard, declared
from app.access.approvals.trying import guard_of
from app.core import areas
from app.core.areas import Lane
from app.core.data_files import unknown
from app.core.http import admission
from app.core.http.routing import reading, shows

PUBLIC: Mapping[str, Lane | None] = {
    "/.well-known/jwks.json": Lane.tokens,
    "/.well-known/oauth-authorization-server": Lane.tokens,
    "/docs": None,
    "/docs/assets/{name}": None,
    "/livez": None,
    "/metrics": None,
    "/oauth/account": Lane.sign_in,
    "/oauth/authorize": Lane.sign_in,
    "/oauth/devices": Lane.tokens,
    "/oauth/introspect": Lane.tokens,
    "/oauth/invitation": Lane.sign_in,
    "/oauth/par": Lane.tokens,
    "/oauth/revoke": Lane.tokens,
    "/oauth/sign-in.css": Lane.sign_in,
    "/oauth/token": Lane.tokens,
    "/openapi.json": None,
    "/problems/{slug}": None,
    "/readyz": None,
}
"""Paths anybody may reach, and in which lane they wait for a place; None: they never do.
Sign-in endpoints authenticate clients by themselves (RFC 6749 §2.3); /metrics answers operator
networks only."""


class UnguardedRoute(Exception):
    """A route says neither which scope it needs nor that it is public, or not what it shows of
    whom; the app does not start.
    """


class TwoLanes(Exception):
    """Where a request waits could not be told by its method and the first two parts of its path;
    the app does not start.
    """


class UnusedScope(Exception):
    """A scope opens nothing: no role should be granted it; the app does not start."""


class BadAct(Exception):
    """An act is no operation, or not of the scope this needs; the app does not start."""


def scopes_of(dependant: Dependant) -> frozenset[str]:
    """Collect the scopes an endpoint's parameters ask for."""
    return frozenset(dependant.own_oauth_scopes or ()).union(
        *map(scopes_of, dependant.dependencies)
    )


def _in_path(dependant: Dependant) -> frozenset[str]:
    """Collect what an endpoint and its dependencies read from the path."""
    own = frozenset(each.alias for each in dependant.path_params)
    return own.union(*map(_in_path, dependant.dependencies))


def routes(app: FastAPI) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """Yield (path, methods, scopes) of everything the app answers."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        scopes = scopes_of(dependant) if dependant else frozenset[str]()
        yield route.path or "?", frozenset(route.methods or ()), scopes


def lanes(app: FastAPI) -> Mapping[tuple[str, str], Lane]:
    """Return the lane of each method and `admission.corner`, for what waits for a place. Raises
    TwoLanes if that does not tell them apart. Call it after `refuse_unguarded`.
    """
    found: dict[tuple[str, str], Lane | None] = {}
    for path, methods, scopes in routes(app):
        lane = PUBLIC[path] if path in PUBLIC else areas.scopes()[min(scopes)].lane
        corner = admission.corner(path)
        for method in methods:
            if found.setdefault((method, corner), lane) is not lane or (lane and "{" in corner):
                raise TwoLanes(f"{method} {path}: what waits in one lane is called alike: {corner}")
    return {known: lane for known, lane in found.items() if lane is not None}


def refuse_unguarded(app: FastAPI) -> None:
    """Raise UnguardedRoute unless every route has one scope and returns `Shown`, or is public."""
    for path, methods, scopes in routes(app):
        if len(scopes) != (0 if path in PUBLIC else 1):
            raise UnguardedRoute(
                f"{'/'.join(sorted(methods))} {path} names {len(scopes)} scopes:"
                " name exactly one, or list the path in app.api.doors.PUBLIC"
            )
    for route in iter_route_contexts(app.routes):
        endpoint = getattr(route, "endpoint", None)
        path = route.path or ""
        if path.startswith("/v1/") and shows(endpoint) is None:
            raise UnguardedRoute(f"{path}: let the endpoint return Shown[…]")
        if dependant := getattr(route, "dependant", None):
            named, read = {*re.findall(r"{(\w+)", path)}, _in_path(dependant)
            for name in sorted(read - named):
                raise UnguardedRoute(f"{path}: {unknown('part of the path', name, named)}")


def refuse_unused(app: FastAPI) -> None:
    """Raise UnusedScope unless some route needs every scope that is declared."""
    needed = frozenset[str]().union(*(scopes for _, _, scopes in routes(app)))
    if unused := areas.scopes().keys() - needed:
        raise UnusedScope(f"no operation needs {', '.join(sorted(unused))}")


def refuse_bad_guards(app: FastAPI) -> None:
    """Raise BadGuard unless whatever takes two people can be tried before it is approved, and every
    act says of that what its route says.
    """
    told: dict[str, Guard | None] = {}
    for route in iter_route_contexts(app.routes):
        if (dependant := getattr(route, "dependant", None)) is None:
            continue
        guard, endpoint = guard_of(dependant), route.endpoint
        told[getattr(route, "unique_id", "")] = guard if isinstance(guard, Guard) else None
        # These are not done, or not only, in the one transaction that is taken back.
        for way in ("before", "meanwhile", "again"):
            if guard is not None and hasattr(endpoint, way):
                raise BadGuard(f"{route.path}: what takes two people does nothing {way}")
        if guard is not None and reading(endpoint) is not None:
            raise BadGuard(f"{route.path}: what takes two people is done on the primary")
    for name, act in chain.from_iterable(acts.items() for acts in declared):
        if told[name] is not act.guard:
            raise BadGuard(f"the act {name} and its route do not say the same of two people")


def refuse_unknown_acts(app: FastAPI) -> None:
    """Raise BadAct unless every act is an operation and has the scope that this needs."""
    needed = {
        getattr(route, "unique_id", ""): scopes_of(route.dependant)
        for route in iter_route_contexts(app.routes)
        if hasattr(route, "dependant")
    }
    for name, act in chain.from_iterable(acts.items() for acts in declared):
        if name not in needed:
            raise BadAct(unknown("operation", name, needed))
        if needed[name] != {act.scope}:
            raise BadAct(f"the act {name} asks for {act.scope}, not {', '.join(needed[name])}")
