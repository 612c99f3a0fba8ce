"""Keys and proofs of systems, rule by rule: each rule broken alone is refused (TOK-5)."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jws

from app.access import assertions
from tests.access.apps import a_key

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
INSTANT = int(NOW.timestamp())
CLIENT = "client"
ISSUER = "https://tonghu.example"


def an_rsa_key(bits: int) -> dict[str, str]:
    return jwk_of(rsa.generate_private_key(65537, bits)) | {"kid": "r"}


def jwk_of(private: rsa.RSAPrivateKey) -> dict[str, str]:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    numbers = jwk.construct(pem.decode(), "RS256").public_key().to_dict()
    return {name: numbers[name] for name in ("kty", "n", "e")}


class TestKeys:
    def test_of_both_kinds_are_kept_with_what_is_needed_alone(self) -> None:
        given = [a_key()[1], {**an_rsa_key(2048), "comment": "ours"}]
        first, second = assertions.public_keys({"keys": given})["keys"]
        assert (first["alg"], second["alg"]) == ("ES256", "PS256")
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

    def test_sign_by_what_production_knows(self) -> None:
        given = {"keys": [{**an_rsa_key(2048), "alg": "RS256"}]}
        assert assertions.public_keys(given)["keys"][0]["alg"] == "RS256"
        with pytest.raises(assertions.KeyRefused, match="ES256 or PS256 here"):
            assertions.public_keys(given, algorithms=assertions.IN_PRODUCTION)

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


def verified(assertion: str, jwks: Any = JWKS, **how: Any) -> assertions.Assertion:
    return assertions.verify(assertion, jwks, client_id=CLIENT, issuer=ISSUER, now=NOW, **how)


def _without(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not ...}


def b64(raw: bytes | str) -> str:
    raw = raw.encode() if isinstance(raw, str) else raw
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class TestProof:
    def test_that_keeps_all_rules_counts_once(self) -> None:
        found = verified(signed(CLAIMS))
        assert (found.token_id, int(found.expires_at.timestamp())) == ("once", INSTANT + 60)

    @pytest.mark.parametrize(
        ("claims", "counts_for"),
        [
            ({"exp": INSTANT + 3600}, 300),  # as Authlib makes it
            ({"exp": INSTANT + 600, "nbf": INSTANT}, 300),  # as MSAL makes it
            ({"iat": INSTANT - 240, "exp": INSTANT + 3000}, 60),
            ({"iat": INSTANT + 60, "exp": INSTANT + 120}, 120),
            ({"iat": ..., "exp": INSTANT + 300}, 300),
        ],
    )
    def test_that_would_live_longer_counts_for_five_minutes(self, claims, counts_for) -> None:
        found = verified(signed(_without({**CLAIMS, **claims})))
        assert int(found.expires_at.timestamp()) == INSTANT + counts_for

    @pytest.mark.parametrize(
        ("claims", "reason", "told"),
        [
            ({"exp": None}, "times", "whole seconds"),
            ({"iat": "now"}, "times", "whole seconds"),
            ({"exp": INSTANT}, "exp", "until 0 s ago"),
            ({"exp": INSTANT - 7}, "exp", "until 7 s ago"),
            ({"iat": INSTANT - 300}, "exp", "set yours"),
            ({"exp": INSTANT + 3601}, "exp", "too far"),
            ({"exp": INSTANT + 301, "iat": ...}, "exp", "too far"),
            ({"iat": INSTANT + 61}, "iat", "61 s ahead"),
            ({"nbf": INSTANT + 90}, "iat", "90 s ahead"),
            ({"iss": "other"}, "iss", "must both be"),
            ({"sub": "other"}, "iss", "must both be"),
            ({"aud": "https://else"}, "aud", f"as one string: {ISSUER}"),
            ({"aud": [ISSUER]}, "aud", "as one string"),
            ({"aud": f"{ISSUER}/"}, "aud", "as one string"),
            ({"jti": ""}, "jti", "1 to 200"),
            ({"jti": "x" * 201}, "jti", "1 to 200"),
            ({"jti": "a\nb"}, "jti", "1 to 200"),
            ({"jti": 7}, "jti", "1 to 200"),
        ],
    )
    def test_that_breaks_a_rule_is_refused_for_it_and_told(self, claims, reason, told) -> None:
        with pytest.raises(assertions.AssertionRefused) as refused:
            verified(signed(_without({**CLAIMS, **claims})))
        assert refused.value.reason == reason
        assert told in refused.value.mend

    def test_by_rsa_is_padded_as_the_profile_says(self) -> None:
        private = rsa.generate_private_key(65537, 2048)
        public = {**jwk_of(private), "kid": "r"}
        kept = assertions.public_keys({"keys": [public]}, algorithms=assertions.IN_PRODUCTION)
        made = ".".join(b64(json.dumps(part)) for part in ({"alg": "PS256", "kid": "r"}, CLAIMS))
        pss = padding.PSS(padding.MGF1(SHA256()), 32)
        assertion = f"{made}.{b64(private.sign(made.encode(), pss, SHA256()))}"
        assert verified(assertion, kept).token_id == "once"
        with pytest.raises(assertions.AssertionRefused):
            verified(
                f"{made}.{b64(private.sign(made.encode(), padding.PKCS1v15(), SHA256()))}", kept
            )
        with pytest.raises(assertions.AssertionRefused):
            verified(assertion[:-4], kept)

    def test_by_what_production_does_not_know_is_refused_there(self) -> None:
        private = rsa.generate_private_key(65537, 2048)
        kept = assertions.public_keys({"keys": [{**jwk_of(private), "kid": "r", "alg": "RS256"}]})
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        assertion = jws.sign(CLAIMS, pem, headers={"kid": "r"}, algorithm="RS256")
        assert verified(assertion, kept).token_id == "once"
        with pytest.raises(assertions.AssertionRefused) as refused:
            verified(assertion, kept, algorithms=assertions.IN_PRODUCTION)
        assert (refused.value.reason, refused.value.mend) == ("alg", None)

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
