"""What may be read on a replica says so, and nothing that changes rows does."""

from typing import Any, get_args, get_type_hints

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.core.http import routing

ELSEWHERE = {"list_codelists", "list_clauses", "list_collections"}
"""Lists that are read in no database."""
SUMS = {"summarise_children", "summarise_duties"}
"""Reads that answer many at once without naming them."""
WITHOUT_GET = {"search_children"}
"""Reads whose question is a body."""


def _answers_many(endpoint: Any) -> bool:
    """Tell whether an endpoint shows items, whatever it is called."""
    [shown] = get_args(get_type_hints(endpoint)["return"])
    return "items" in shown.model_fields


def test_every_list_and_count_says_that_it_only_reads(app: FastAPI) -> None:
    looks, reads = set(), set()
    for route in iter_route_contexts(app.routes):
        if not (route.path or "").startswith("/v1/"):
            continue
        if routing.reading(route.endpoint):
            reads.add((route.name, "GET" in route.methods or route.name in WITHOUT_GET))
        if "GET" in route.methods and (_answers_many(route.endpoint) or route.name in SUMS):
            looks.add(route.name)
    assert looks > SUMS | ELSEWHERE | {"list_children", "list_events", "read_child_history"}
    late = looks - ELSEWHERE - {name for name, _ in reads}
    assert not late, f"say `tx: ReadTransaction`, not `Transaction`: {sorted(late)}"
    assert {name for name, only in reads if not only} == set()
