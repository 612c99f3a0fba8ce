"""Keys and proofs of systems, rule by rule: each rule broken alone is refused (TOK-5)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jws

from app.access import assertions
from tests.access.apps import a_key

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
INSTANT = int(NOW.timestamp())
CLIENT = "client"
ISSUER = "https://tonghu.example"


def an_rsa_key(bits: int) -> dict[str, str]:
    pem = rsa.generate_private_key(65537, bits).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    numbers = jwk.construct(pem.decode(), "RS256").public_key().to_dict()
    return {name: numbers[name] for name in ("kty", "n", "e")} | {"kid": "r"}


class TestKeys:
    def test_of_both_kinds_are_kept_with_what_is_needed_alone(self) -> None:
        given = [a_key()[1], {**an_rsa_key(2048), "comment": "ours"}]
        first, second = assertions.public_keys({"keys": given})["keys"]
        assert (first["alg"], second["alg"]) == ("ES256", "RS256")
        assert second.keys() == {"kty", "kid", "alg", "use", "n", "e"}

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"d": "AQAB"}, "public keys only"),
            ({"kid": ""}, "kid of 1 to 200"),
            ({"kid": 7}, "kid of 1 to 200"),
            ({"kty": "oct"}, "EC P-256 or RSA"),
            ({"crv": "P-384"}, "EC P-256 or RSA"),
            ({"alg": "RS256"}, "sign ES256"),
            ({"use": "enc"}, "sign ES256"),
            ({"x": "!"}, "cannot be read"),
        ],
    )
    def test_that_break_a_rule_are_refused_by_its_name(self, changes, rule) -> None:
        with pytest.raises(assertions.KeyRefused, match=rule):
            assertions.public_keys({"keys": [{**a_key()[1], **changes}]})

    def test_of_too_few_bits_are_refused(self) -> None:
        with pytest.raises(assertions.KeyRefused, match="2048 bits"):
            assertions.public_keys({"keys": [an_rsa_key(1024)]})

    @pytest.mark.parametrize("keys", [None, {"a": {}}, [], [{}] * 11])
    def test_are_one_to_ten(self, keys) -> None:
        with pytest.raises(assertions.KeyRefused, match="1 to 10"):
            assertions.public_keys({"keys": keys})

    def test_are_told_apart_by_their_kid(self) -> None:
        key = a_key()[1]
        with pytest.raises(assertions.KeyRefused, match="its own kid"):
            assertions.public_keys({"keys": [key, key]})


PRIVATE, PUBLIC = a_key()
JWKS = assertions.public_keys({"keys": [PUBLIC]})
CLAIMS = {
    "iss": CLIENT,
    "sub": CLIENT,
    "aud": ISSUER,
    "exp": INSTANT + 60,
    "iat": INSTANT,
    "jti": "once",
}


def signed(claims: dict[str, Any], **header: Any) -> str:
    return jws.sign(claims, PRIVATE, headers={"kid": PUBLIC["kid"], **header}, algorithm="ES256")


def verified(assertion: str, jwks: Any = JWKS) -> assertions.Assertion:
    return assertions.verify(assertion, jwks, client_id=CLIENT, issuer=ISSUER, now=NOW)


class TestProof:
    def test_that_keeps_all_rules_counts_once(self) -> None:
        found = verified(signed(CLAIMS))
        assert (found.token_id, int(found.expires_at.timestamp())) == ("once", INSTANT + 60)
        assert verified(signed({**CLAIMS, "aud": ["https://else", ISSUER]})) == found

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"exp": None}, "times"),
            ({"iat": "now"}, "times"),
            ({"exp": INSTANT}, "exp"),
            ({"exp": INSTANT + 301}, "exp"),
            ({"iat": INSTANT + 31}, "iat"),
            ({"nbf": INSTANT + 31}, "iat"),
            ({"iss": "other"}, "iss"),
            ({"sub": "other"}, "iss"),
            ({"aud": "https://else"}, "aud"),
            ({"jti": ""}, "jti"),
            ({"jti": "x" * 201}, "jti"),
            ({"jti": "a\nb"}, "jti"),
            ({"jti": 7}, "jti"),
        ],
    )
    def test_that_breaks_a_rule_is_refused_for_it(self, claims, reason) -> None:
        with pytest.raises(assertions.AssertionRefused) as refused:
            verified(signed({**CLAIMS, **claims}))
        assert refused.value.reason == reason

    def test_needs_no_kid_where_one_key_is_registered(self) -> None:
        unnamed = jws.sign(CLAIMS, PRIVATE, algorithm="ES256")
        assert verified(unnamed).token_id == "once"
        with pytest.raises(assertions.AssertionRefused):
            verified(unnamed, {"keys": [*JWKS["keys"], {**JWKS["keys"][0], "kid": "two"}]})

    def test_by_a_key_nobody_registered_is_refused(self) -> None:
        for header in ({"kid": "other"}, {"typ": "at+jwt"}, {"jwk": PUBLIC}):
            with pytest.raises(assertions.AssertionRefused):
                verified(signed(CLAIMS, **header))
        with pytest.raises(assertions.AssertionRefused):
            verified(signed(CLAIMS), None)

    @pytest.mark.parametrize("rubbish", ["", "a.b", "a.b.c", "ä.ä.ä"])
    def test_that_is_none_is_refused_and_names_nobody(self, rubbish) -> None:
        with pytest.raises(assertions.AssertionRefused):
            verified(rubbish)

    def test_that_was_cut_is_refused(self) -> None:
        with pytest.raises(assertions.AssertionRefused):
            verified(signed(CLAIMS)[:-4])

    def test_says_who_it_claims_to_be_from(self) -> None:
        assert assertions.claimed_client(signed(CLAIMS)) == CLIENT
        assert assertions.claimed_client(signed({**CLAIMS, "sub": 7})) is None
        assert assertions.claimed_client("a.b.c") is None
