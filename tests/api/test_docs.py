"""The interactive documentation needs nothing but this server."""

import re


async def test_refers_to_own_files_only_and_runs_under_its_policy(client) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert (
        "'unsafe-inline'"
        not in page.headers["content-security-policy"].split("script-src")[1].split(";")[0]
    )
    assert "//" not in re.sub(r"<!doctype html>", "", page.text)
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=", page.text)
    files = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(files) == 4
    for path in files:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert answer.content


async def test_shows_the_document_of_this_server(client) -> None:
    assert "/openapi.json" in (await client.get("/docs/assets/start.js")).text
    large = "/docs/assets/swagger-ui-bundle.js"
    head = await client.head(large)
    assert (head.status_code, head.content, int(head.headers["content-length"]) > 10**6) == (
        200,
        b"",
        True,
    )
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1.")


async def test_serves_no_other_files(client) -> None:
    assert (await client.get("/docs/assets/__init__.py")).status_code == 404
