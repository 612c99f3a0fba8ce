"""What a request brings to say who calls: a token, and with one that is bound the proof of its key
(RFC 6750, RFC 9449 §7).
"""

from datetime import datetime
from typing import Final

from fastapi import Request

from app.access import dpop, tokens, traces
from app.access.oauth import Refused
from app.core.data.db import Database, Tx
from app.core.data.sql import insert
from app.core.http.once import Once
from app.core.problems import Problem

_REALM: Final = 'realm="tonghu"'
_SENT_BEFORE: Final = "The proof was sent before: sign each request anew, with another jti."
_ALGORITHMS: Final = f'algs="{dpop.ALGORITHM}"'


class Unauthenticated(Problem, status=401):
    """No valid access token (RFC 6750), or not the proof that goes with it (RFC 9449)."""

    title = "A valid access token is required"
    title_zh = "需要有效的访问令牌"

    def __init__(self, detail: str | None = None, *, challenge: str | None = None) -> None:
        said = challenge or f"Bearer {_REALM}, DPoP {_REALM}, {_ALGORITHMS}"
        super().__init__(detail, headers={"www-authenticate": said})


class Proofs:
    """What checking proofs takes: nonces, and the memory of which were shown."""

    def __init__(self, nonces: dpop.Nonces, once: Once) -> None:
        self.nonces = nonces
        self._once = once

    async def is_first(self, tx: Tx, proof: dpop.Proof, *, reads: bool) -> bool:
        """Tell whether a proof is shown for the first time. One that changes something is kept in
        the transaction of the change, for all machines; one that only reads, in the memory of this
        one: read again, it shows what whoever has it saw already.
        """
        if reads:
            return self._once.is_first(proof.mark, now=_second(tx.now), until=proof.until)
        kept = {
            "mark": proof.mark,
            "expires_at": datetime.fromtimestamp(proof.until, tx.now.tzinfo),
        }
        return await insert(tx.connection, "used_proofs", kept, unless_taken=True)


async def verified(request: Request) -> None:
    """Verify the token that is shown, before a transaction is begun for it: who forges tokens costs
    no more. Raises Unauthenticated, which says what to mend; of the token itself no more than that
    it is not valid.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    scheme = {"bearer": "Bearer", "dpop": "DPoP"}.get(kind.lower())
    if scheme is None or not token:
        raise Unauthenticated
    database: Database = request.state.database
    try:
        claims = tokens.verify(request.state.token_keys, token, now=database.clock())
    except tokens.TokenRefused as refused:
        if refused.reason != tokens.EXPIRED:  # else it was ours
            operation = request.scope["route"].unique_id
            await traces.leave(request, operation, f"token-{refused.reason.lower()}")
        raise _invalid(scheme) from None
    if claims.key is not None and scheme == "Bearer":
        raise _mend("The token is bound to a key: send it as DPoP, with a proof by that key.")
    if claims.key is None and scheme == "DPoP":
        raise _mend("The token is bound to no key: send it as Bearer.")
    request.scope["claims"] = claims


async def prove(request: Request, tx: Tx) -> tokens.Claims:
    """Return what the token that was `verified` says, once the proof of its key is, if it is bound
    to one. Raises Unauthenticated, which says what to mend.
    """
    claims: tokens.Claims = request.scope["claims"]
    if claims.key is not None:
        token = request.headers["authorization"].partition(" ")[2]
        await _prove(request, tx, token, claims.key)
    return claims


def invalid(claims: tokens.Claims) -> Unauthenticated:
    """Refuse a token of ours that does not count any more."""
    return _invalid("Bearer" if claims.key is None else "DPoP")


def _invalid(scheme: str) -> Unauthenticated:
    bound = f", {_ALGORITHMS}" if scheme == "DPoP" else ""
    return Unauthenticated(challenge=f'{scheme} {_REALM}, error="invalid_token"{bound}')


async def _prove(request: Request, tx: Tx, token: str, key: str) -> None:
    proofs: Proofs = request.state.proofs
    try:
        proof = _verified(request, tx, token, key)
    except dpop.ProofRefused as refused:
        raise _mend(refused.description, error=refused.error) from None
    if not await proofs.is_first(tx, proof, reads=request.method == "GET"):
        raise _mend(_SENT_BEFORE, error="invalid_dpop_proof")


def read_proof(request: Request, tx: Tx) -> dpop.Proof | None:
    """Return the proof that a request for tokens brings; None if it brings none. Raises Refused."""
    if "dpop" not in request.headers:
        return None
    try:
        return _verified(request, tx)
    except dpop.ProofRefused as refused:
        raise Refused(refused.error, refused.description, reason=f"dpop: {refused.error}") from None


async def spend(request: Request, tx: Tx, proof: dpop.Proof | None) -> None:
    """Have a proof count once. Raises Refused."""
    proofs: Proofs = request.state.proofs
    if proof is not None and not await proofs.is_first(tx, proof, reads=False):
        raise Refused("invalid_dpop_proof", _SENT_BEFORE, reason="dpop: replayed")


def _verified(
    request: Request, tx: Tx, token: str | None = None, key: str | None = None
) -> dpop.Proof:
    """Verify the proof a request brings; with the answer goes the nonce for the next."""
    proofs: Proofs = request.state.proofs
    second = _second(tx.now)
    nonce = (b"dpop-nonce", proofs.nonces.current(second).encode())
    request.scope["answer_headers"] = (*request.scope.get("answer_headers", ()), nonce)
    asked = dpop.Asked(
        request.scope.get("asked_as", request.method),
        request.state.settings.tokens.issuer,
        request.scope["path"],
        token,
    )
    shown = request.headers.getlist("dpop")
    return dpop.verify(shown, asked, proofs.nonces, now=second, key=key)


def _mend(description: str, *, error: str = "invalid_token") -> Unauthenticated:
    said = f'error="{error}", error_description="{description}"'
    return Unauthenticated(description, challenge=f"DPoP {_REALM}, {said}, {_ALGORITHMS}")


def _second(now: datetime) -> int:
    return int(now.timestamp())
