"""What may be read on a replica says so, and nothing that changes rows does."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.core.http import routing

ELSEWHERE = {"list_codelists", "list_clauses"}
"""Lists that are read in no database."""
WITHOUT_GET = {"search_children"}
"""Reads whose question is a body."""


def test_every_list_and_count_says_that_it_only_reads(app: FastAPI) -> None:
    looks, reads = set(), set()
    for route in iter_route_contexts(app.routes):
        if not (route.path or "").startswith("/v1/"):
            continue
        if routing.reading(route.endpoint):
            reads.add((route.name, "GET" in route.methods or route.name in WITHOUT_GET))
        if "GET" in route.methods and route.name.startswith(("list_", "summarise_")):
            looks.add(route.name)
    late = looks - ELSEWHERE - {name for name, _ in reads}
    assert not late, f"say `tx: ReadTransaction`, not `Transaction`: {sorted(late)}"
    assert {name for name, only in reads if not only} == set()
