"""What a route declares of two people, as dependencies of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request

from app.access.acts import Afterwards, ApprovalRequired, Guard
from app.access.approvals import operations
from app.access.approvals.acts import ApprovalUnusable
from app.access.principal import Principal
from app.core.http import routing
from app.core.problems import raises

_Approval = Annotated[
    UUID | None,
    Header(description="The approval by which this takes effect, where it takes two people."),
]


def by_two(authorised: Callable[..., Awaitable[Principal]], guard: Guard) -> Any:
    """Let what the route does stand only if one person may do it, or another has approved it."""

    @raises(ApprovalRequired, ApprovalUnusable)
    async def with_another(
        request: Request,
        principal: Annotated[Principal, Depends(authorised)],
        approval: _Approval = None,
    ) -> Principal:
        routing.settle_with(request, partial(operations.use, request, guard, principal, approval))
        return principal

    vars(with_another)["guard"] = guard
    return with_another


def alone(authorised: Callable[..., Awaitable[Principal]], afterwards: Afterwards) -> Any:
    """Leave a review of what the route does, which another person owes."""

    async def before_another(
        request: Request, principal: Annotated[Principal, Depends(authorised)]
    ) -> Principal:
        routing.settle_with(request, partial(operations.done_alone, request, afterwards, principal))
        return principal

    vars(before_another)["guard"] = afterwards
    return before_another
