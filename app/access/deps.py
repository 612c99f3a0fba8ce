"""Who is calling and whether they may: annotated parameters of endpoints."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Request, Security
from fastapi.openapi.models import (
    OAuthFlowAuthorizationCode,
    OAuthFlowClientCredentials,
    OAuthFlows,
)
from fastapi.security import OAuth2, SecurityScopes
from pydantic import BeforeValidator

from app.access import queries, rules
from app.access.acts import Afterwards, Guard
from app.access.approvals.depending import alone, by_two
from app.access.budgets import BudgetSpent, Counted, ReadingBudgets
from app.access.presenting import Unauthenticated, invalid, prove, verified
from app.access.principal import Principal
from app.access.roles import Purpose, UnknownRole, role
from app.audit import operations as audit
from app.core import areas
from app.core.areas import Scope
from app.core.data.db import Tx
from app.core.http import idempotency, routing
from app.core.http.rate_limits import RateLimited, RateLimits
from app.core.http.shown import Seen
from app.core.problems import Problem, raises
from app.core.settings import Settings

oauth2 = OAuth2(
    scheme_name="oauth2",
    description=(
        "OAuth 2.0 access tokens (RFC 9068), handled after RFC8725: one pinned algorithm per key,"
        " explicit typ, issuer and audience checked. Ten minutes at most; authority is read from"
        " the database on every request. Bound to a key (DPoP, RFC 9449) they are sent as `DPoP`"
        " with a proof; in production all are, but for dated exceptions."
    ),
    auto_error=False,
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl="/oauth/token", refreshUrl="/oauth/token", scopes={}
        ),
        authorizationCode=OAuthFlowAuthorizationCode(
            authorizationUrl="/oauth/authorize",
            tokenUrl="/oauth/token",
            refreshUrl="/oauth/token",
            scopes={},
        ),
    ),
)


class ScopeMissing(Problem, status=403, denies=True):
    """The token or the role behind it does not grant this operation."""

    title = "This token does not grant the operation"
    title_zh = "该令牌无权执行此操作"


class PurposeNotAllowed(Problem, status=403, denies=True):
    """The role may not use personal data for the purpose named (AZ-6)."""

    title = "Your role may not use personal data for this purpose"
    title_zh = "您的角色不得为此目的使用个人信息"


class StepUpRequired(Problem, status=401, denies=True):
    """The act asks for a fresh sign-in, with a second factor (RFC 9470): send the person to
    `/oauth/authorize` with the `acr_values` and `max_age` of the challenge, and ask again.
    """

    title = "Sign in again, with your second factor, before this"
    title_zh = "此操作之前请重新登录并完成第二重验证"

    def __init__(
        self, detail: str | None = None, *, factors: bool = True, bound: bool = False
    ) -> None:
        within = int(rules.STEP_UP_WITHIN.total_seconds())
        asked = f', acr_values="{rules.TWO_FACTORS}"' if factors else ""
        challenge = (
            f'{"DPoP" if bound else "Bearer"} realm="tonghu",'
            ' error="insufficient_user_authentication",'
            f' error_description="Sign in again."{asked}, max_age="{within}"'
        )
        super().__init__(detail, headers={"www-authenticate": challenge})


@raises(Unauthenticated)
@routing.before(verified)
async def authenticated(request: Request) -> Principal:
    """Find out who is calling and open their reach, once a request. Raises Unauthenticated."""
    known: Principal | None = request.scope.get("caller")
    if known is not None:
        return known
    tx: Tx = request.scope["tx"]
    claims = await prove(request, tx)
    try:
        granted = role(claims.role)
    except UnknownRole:
        raise invalid(claims) from None
    row = await queries.open_reach(tx, claims, relation=granted.relation)
    if row is None:
        raise invalid(claims)
    owner, _, identity = claims.subject.partition(":")
    principal = Principal(
        subject=claims.subject,
        staff_id=UUID(identity) if owner == "staff" else None,
        client_id=UUID(claims.client_id),
        agency_id=row["agency_id"],
        agency_kind=row["agency_kind"],
        role=granted,
        region_code=row["region_code"],
        region_lo=row["remit_lo"],
        region_hi=row["remit_hi"],
        scopes=claims.scopes & granted.scopes,
        served=tuple(row["served"]),
        also=tuple(row["also"]),
        authenticated_at=row["authenticated_at"],
        factors=tuple(row["factors"]),
        request_id=request.scope.get("request_id", "-"),
        ip=request.client.host if request.client else None,
        key=claims.key,
    )
    request.scope["caller"] = principal
    request.scope["reach"] = partial(queries.reach_of, principal)
    tx.witness = partial(_witness, request)
    return principal


async def _witness(request: Request, tx: Tx, seen: Seen) -> None:
    """Write the one audit row of this request: of every write, and of what names a child, was read
    for a purpose or was refused. What everybody may read leaves none.
    """
    principal: Principal = request.scope["caller"]
    reads = request.method == "GET" and seen.decision == "allowed"
    if reads and principal.purpose is None and not (seen.children or seen.groups):
        return
    await audit.record(tx, principal.actor, request.scope["route"].unique_id, seen)
    counted: Counted | None = request.scope.get("counted")
    if counted is not None and seen.children and seen.decision == "allowed":
        await counted.add(tx, principal, seen.children)  # what is not recorded is not shown


def named_in_path(
    name: str,
    description: str,
    find: Callable[..., Awaitable[Any]],
    missing: type[Problem],
    **how: Any,
) -> Any:
    """Make the dependency that finds what the path's `{name}` names, among what the caller may
    know of, by `find(tx, principal, id, **how)`; it raises `missing`, the same for all else (AZ-3).
    """

    @raises(missing)
    async def load(
        request: Request,
        principal: Annotated[Principal, Depends(authenticated)],
        given: Annotated[UUID, Path(alias=name, description=description)],
    ) -> Any:
        found = await find(request.scope["tx"], principal, given, **how)
        if found is None:
            raise missing
        return found

    return Depends(load)


# The framework walks the whole tree of dependencies on every request, so the tree is kept flat:
# `authenticated` and `authorized` take the transaction from the request's scope.


_Token = Annotated[str | None, Depends(oauth2)]
_Key = Annotated[
    str | None,
    Header(
        max_length=202,
        description="Makes a retried write safe: same key, same answer, for 30 days.",
    ),
]


@raises(Unauthenticated, ScopeMissing, RateLimited)
@routing.before(verified)
async def _admitted(request: Request, required: SecurityScopes, token: _Token) -> Principal:
    principal = await authenticated(request)
    if not principal.scopes.issuperset(required.scopes):
        raise ScopeMissing(f"Needed: {', '.join(sorted(required.scopes))}.")
    if not all(map(areas.never_waits, required.scopes)):
        kind = "read" if request.method == "GET" else "write"
        limits: RateLimits = request.state.rate_limits
        tx: Tx = request.scope["tx"]
        spent = limits.spend(f"{principal.subject} {kind}", tx.now)
        request.scope["answer_headers"] = (*request.scope.get("answer_headers", ()), *spent)
        if request.scope["route"].reads:
            request.scope["budgets"] = request.state.reading_budgets
    return principal


@raises(StepUpRequired)
async def _admitted_afresh(
    request: Request, principal: Annotated[Principal, Depends(_admitted)]
) -> Principal:
    """Let through who signed in within minutes, with two factors where these are asked for; before
    any answer is given once more for a key. A system proves itself for each token.
    """
    tx: Tx = request.scope["tx"]
    settings: Settings = request.state.settings
    if principal.authenticated_at is not None:
        factors = settings.asks_second_factor
        fresh = tx.now - principal.authenticated_at <= rules.STEP_UP_WITHIN
        if not fresh or (factors and rules.context_of(principal.factors) != rules.TWO_FACTORS):
            raise StepUpRequired(factors=factors, bound=principal.key is not None)
    return principal


@raises(StepUpRequired)
async def _admitted_with_approval(
    request: Request, principal: Annotated[Principal, Depends(_admitted)]
) -> Principal:
    """Let through who uses an approval likewise; who has none is told first that it takes two."""
    if "approval" in request.headers:
        await _admitted_afresh(request, principal)
    return principal


@raises(Unauthenticated, ScopeMissing, RateLimited)
@routing.before(verified)
async def authorized(
    request: Request, required: SecurityScopes, token: _Token, idempotency_key: _Key = None
) -> Principal:
    """Let the caller through if token and role grant the scope; hold the Idempotency-Key."""
    principal = await _admitted(request, required, token)
    await _claim(request, principal)
    return principal


def _authorized_after(admitted: Callable[..., Awaitable[Principal]]) -> Any:
    """Like `authorized`, of who was let in otherwise."""

    async def authorized_after(
        request: Request,
        principal: Annotated[Principal, Depends(admitted)],
        idempotency_key: _Key = None,
    ) -> Principal:
        await _claim(request, principal)
        return principal

    return authorized_after


def _for_purpose_after(admitted: Callable[..., Awaitable[Principal]]) -> Any:
    """Like `authorized`, for operations on personal data: the purpose must be allowed too. An
    answer kept for the key shows the data once more, so it too is given for a purpose only.
    """

    @raises(PurposeNotAllowed, BudgetSpent)
    async def authorized_for_purpose(
        request: Request,
        required: SecurityScopes,
        principal: Annotated[Principal, Depends(admitted)],
        purpose_of_use: Annotated[
            Purpose, Header(description="Why personal data is used; recorded in the audit (AZ-6).")
        ],
        idempotency_key: _Key = None,
    ) -> Principal:
        if purpose_of_use not in principal.role.purposes:
            raise PurposeNotAllowed(f"Allowed: {', '.join(sorted(principal.role.purposes))}.")
        if purpose_of_use is Purpose.supervision and any(map(_writes, required.scopes)):
            raise PurposeNotAllowed(
                "Who checks whether duties are done changes nothing of a child."
            )
        request.scope["caller"] = principal = replace(principal, purpose=purpose_of_use)
        budgets: ReadingBudgets | None = request.scope.get("budgets")
        if budgets is not None:
            request.scope["counted"] = budgets.require(request.scope["tx"], principal)
        await _claim(request, principal)
        return principal

    return authorized_for_purpose


authorized_for_purpose = _for_purpose_after(_admitted)


def _writes(scope: str) -> bool:
    return scope.endswith((":write", ":answer"))


def _narrowed(authorised: Callable[..., Awaitable[Principal]], purposes: frozenset[Purpose]) -> Any:
    """Let through for some of the role's purposes alone: the law lets it be done for no other."""

    @raises(PurposeNotAllowed)
    async def authorized_for_these(
        principal: Annotated[Principal, Depends(authorised)],
    ) -> Principal:
        if principal.purpose not in purposes:
            raise PurposeNotAllowed(f"This is done for: {', '.join(sorted(purposes))}.")
        return principal

    return authorized_for_these


def _counted(authorised: Callable[..., Awaitable[Principal]]) -> Any:
    """Count what is shown as reading is counted. Nothing that is written is refused for it."""

    async def authorized_and_counted(
        request: Request, principal: Annotated[Principal, Depends(authorised)]
    ) -> Principal:
        budgets: ReadingBudgets = request.state.reading_budgets
        request.scope["counted"] = budgets.of(request.scope["tx"], principal)
        return principal

    return authorized_and_counted


def _if_known(said: object) -> object:
    return said if said in {*Purpose} else None


async def authorized_with_evidence(
    request: Request,
    principal: Annotated[Principal, Depends(_admitted)],
    purpose_of_use: Annotated[
        Purpose | None,
        BeforeValidator(_if_known),
        Header(
            description="Why personal data is used; recorded in the audit (AZ-6). Evidence is taken"
            " without one, too."
        ),
    ] = None,
    idempotency_key: _Key = None,
) -> Principal:
    """Like `authorized`, for evidence: it shows no more than its sender said, and a purpose that is
    missing, none or not the role's refuses none of it. It is recorded without one.
    """
    if purpose_of_use in principal.role.purposes:
        request.scope["caller"] = principal = replace(principal, purpose=purpose_of_use)
    await _claim(request, principal)
    return principal


async def _claim(request: Request, principal: Principal) -> None:
    if request.method == "GET":
        return
    tx: Tx = request.scope["tx"]
    operation = request.scope["route"].unique_id
    await idempotency.claim(
        tx,
        request,
        caller=principal.subject,
        operation=operation,
        authority=f"{principal.role.code} {principal.agency_id}",
    )


def needs(
    scope: Scope,
    *,
    personal: bool | None = None,
    evidence: bool = False,
    step_up: bool = False,
    approval: Guard | None = None,
    review: Afterwards | None = None,
    purposes: frozenset[Purpose] | None = None,
    shows: bool = False,
) -> Any:
    """Require one scope, and a `Purpose-Of-Use` header if it opens personal data.

    `personal` is said only by an operation that differs from the others of its scope: it shows
    nobody (a count), or, unlike them, somebody. `evidence`: its body is (`Input.evidence`), which
    nothing beside it refuses. `approval`: when it takes two people; `review`: what one does alone
    and another looks at. Either reads the `about` of what the operation shows. `step_up`: it is for
    who signed in afresh with two factors (RFC 9470); what is done with an approval always is.
    `purposes`: for which of the role's alone it is done. `shows`: it writes, and shows more of a
    child than its sender said.
    """
    reaches_people = scope.personal if personal is None else personal
    if evidence:
        return Security(authorized_with_evidence, scopes=[scope.code])
    authorised: Any = authorized_for_purpose if reaches_people else authorized
    if step_up or approval is not None:
        admitted = _admitted_afresh if step_up else _admitted_with_approval
        authorised = (_for_purpose_after if reaches_people else _authorized_after)(admitted)
    if purposes is not None:
        authorised = _narrowed(authorised, purposes)
    if shows:
        authorised = _counted(authorised)
    if approval is not None:
        authorised = by_two(authorised, approval)
    if review is not None:
        authorised = alone(authorised, review)
    return Security(authorised, scopes=[scope.code])
