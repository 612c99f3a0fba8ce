"""The whole way with Authlib, as its documentation has it. Its client signs no DPoP proofs and
pushes no requests: it gets bearer tokens, where those are to be had.
"""

import json
import re
import sys
from html import unescape
from urllib.parse import urlsplit

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

told = json.load(sys.stdin)
said: list[tuple[str, object]] = []
metadata = httpx.get(f"{told['issuer']}/.well-known/oauth-authorization-server").json()


def machine(**claims: object) -> OAuth2Client:
    jwk = told["machine"]["jwk"]
    client = OAuth2Client(
        told["machine"]["client_id"],
        ECKey.import_key(jwk),
        token_endpoint_auth_method="private_key_jwt",
        token_endpoint=metadata["token_endpoint"],
        revocation_endpoint_auth_method="private_key_jwt",
    )
    # Of its defaults, the hour that an assertion lives stays; the issuer and the algorithm of the
    # key are said.
    proves = PrivateKeyJWT(told["issuer"], claims=claims or None, alg="ES256")
    client.register_client_auth_method(proves)
    return client


def refused(step: str, attempt: object) -> None:
    try:
        attempt()  # type: ignore[operator]
    except OAuthError as error:
        said.append((step, f"{error.error}: {error.description}"))
    else:
        said.append((step, "was let through"))


with machine() as client:
    issued = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    said.append(("client_credentials", issued["token_type"]))
    said.append(("resource", client.get(f"{told['issuer']}/v1/me").json()["subject"]))
    seen = client.introspect_token(metadata["introspection_endpoint"], token=issued["access_token"])
    said.append(("introspection", seen.json()["active"]))
    gone = client.revoke_token(metadata["revocation_endpoint"], token=issued["access_token"])
    said.append(("revocation", gone.status_code))
    said.append(("revoked token", client.get(f"{told['issuer']}/v1/me").status_code))

endpoint = metadata["token_endpoint"]
plain = {"grant_type": "client_credentials"}
with machine(iss="somebody else") as client:
    refused("assertion of another issuer", lambda: client.fetch_token(endpoint, **plain))
with OAuth2Client(
    told["machine"]["client_id"],
    ECKey.import_key(told["machine"]["jwk"]),
    token_endpoint_auth_method=PrivateKeyJWT(endpoint, alg="ES256"),
) as client:
    refused("assertion for the token endpoint", lambda: client.fetch_token(endpoint, **plain))


def sign_in(url: str) -> str:
    """Sign in as a person does in a browser; return where the app is called back."""
    with httpx.Client() as browser:
        page = browser.get(url)
        found = re.search(r'name="flow" value="([^"]*)"', page.text)
        fields = {"username": told["username"], "password": told["password"]}
        flow = unescape(found[1]) if found else ""
        parts = urlsplit(url)
        answer = browser.post(
            f"{parts.scheme}://{parts.netloc}/oauth/authorize", data={"flow": flow, **fields}
        )
        location: str = answer.headers["location"]
        return location


with OAuth2Client(
    told["app"],
    redirect_uri=told["callback"],
    code_challenge_method="S256",
    token_endpoint_auth_method="none",
) as app:
    verifier = "a" * 43
    url, state = app.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier
    )
    back = sign_in(url)
    first = app.fetch_token(
        endpoint, authorization_response=back, code_verifier=verifier, state=state
    )
    said.append(("code", first["token_type"]))
    second = app.refresh_token(endpoint, refresh_token=first["refresh_token"])
    said.append(("refresh", second["refresh_token"] != first["refresh_token"]))
    refused(
        "code used twice",
        lambda: app.fetch_token(endpoint, authorization_response=back, code_verifier=verifier),
    )
print(json.dumps(said))
