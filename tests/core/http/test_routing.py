"""What a route refuses when it is made."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, Response

from app.core.http import routing


def waits_in_a_thread() -> int:
    return 1


async def waits_here() -> int:
    return 1


async def asks_one_that_waits(found: Annotated[int, Depends(waits_in_a_thread)]) -> int:
    return found


async def asks(found: Annotated[int, Depends(asks_one_that_waits)]) -> None:
    """Ask at second hand."""


async def asks_rightly(found: Annotated[int, Depends(waits_here)]) -> Response:
    """Ask one that is a coroutine."""
    return Response(str(found))


@pytest.mark.parametrize("endpoint", [waits_in_a_thread, asks])
def test_what_would_run_in_a_thread_is_named(endpoint: Any) -> None:
    with pytest.raises(TypeError, match="waits_in_a_thread: say `async def`"):
        routing.router("Children").get("/of-the-test")(endpoint)


def test_a_coroutine_is_taken() -> None:
    routing.router("Children").get("/of-the-test")(asks_rightly)


def test_an_answer_that_nobody_would_write_is_refused() -> None:
    async def says_a_number() -> int:
        return await waits_here()

    with pytest.raises(TypeError, match=r"says_a_number: return `Shown\[…\]` or a response"):
        routing.router("Children").get("/of-the-test")(says_a_number)
