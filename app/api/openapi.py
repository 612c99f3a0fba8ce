"""Finish the OpenAPI document FastAPI begins: what every operation shares, said once (D12).

Only /v1 is described. Sign-in speaks OAuth 2.0 and describes itself by RFC 8414 metadata.
"""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic.json_schema import models_json_schema

from app.access.acts import Afterwards, Guard
from app.access.approvals.trying import guard_of
from app.api import callbacks, names
from app.api.answers import ParameterInvalid, ValidationFailed
from app.api.callbacks import header
from app.api.schemas import tidy
from app.core import areas
from app.core.data.db import OutcomeUnknown, TemporarilyUnavailable
from app.core.data.recording import RecordAway
from app.core.data.wrong_keys import KeysWrong
from app.core.http.admission import TooManyAtOnce
from app.core.http.bodies import MalformedRequest, UnsupportedMediaType
from app.core.http.cursors import CursorInvalid
from app.core.http.exchange import InternalError
from app.core.http.hardening import BodyTooLarge, BodyTooSlow, EncodingNotSupported, HeadersTooLarge
from app.core.http.idempotency import AnswerOutOfSight, IdempotencyKeyInvalid, IdempotencyKeyReused
from app.core.http.routing import raised_by
from app.core.problems import MEDIA_TYPE, Problem, ProblemDocument, documented

Json = dict[str, Any]
VERSION = "1.0.0"
_DESCRIPTION = """\
Tonghu 童护 keeps one file per child in need of care, gives every duty an owner and a deadline, \
and delivers every mandatory report with proof.

**Sign in** with OAuth 2.0 (`/.well-known/oauth-authorization-server`): machine clients by \
`client_credentials` with `private_key_jwt`, staff apps by authorization code with PKCE. In \
production tokens are bound to a key (DPoP, RFC 9449): each request brings a proof of it. \
**Say why**: operations on personal data need a `Purpose-Of-Use` header, but evidence is taken \
without one. **Retry safely**: send an `Idempotency-Key` with every write; its answer is kept for \
30 days. \
**Change safely**: send `If-Match` with the ETag you read. \
**Errors** are RFC 9457 problems in Chinese or English by `Accept-Language`. A child outside the \
caller's remit is answered exactly like one that does not exist.
"""

_ALWAYS = (
    MalformedRequest,
    ParameterInvalid,
    HeadersTooLarge,
    InternalError,
    TemporarilyUnavailable,
    OutcomeUnknown,
    RecordAway,
    KeysWrong,
    TooManyAtOnce,
)
_WITH_BODY = (
    BodyTooSlow,
    BodyTooLarge,
    UnsupportedMediaType,
    EncodingNotSupported,
    ValidationFailed,
)
_BY_PARAMETER: dict[str, tuple[type[Problem], ...]] = {
    "idempotency-key": (IdempotencyKeyInvalid, IdempotencyKeyReused, AnswerOutOfSight),
    "cursor": (CursorInvalid,),
}

_HEADERS: dict[str, Json] = {
    "RateLimit": header("What is left of the share.", '"default";r=1999;t=1'),
    "RateLimit-Policy": header("The caller's share.", '"default";q=2000;w=10'),
    "X-Request-Id": header("Names this exchange in the operator's log.", "0199f0c2-8d2e-7000"),
    "Access-Control-Allow-Origin": header(
        "The calling web app's origin, if the operator listed it.", "https://app.example"
    ),
    "Content-Language": header("Language of the texts: zh or en.", "zh"),
    "Retry-After": header("Seconds to wait before trying again.", "2"),
    "WWW-Authenticate": header("How to authenticate (RFC 6750).", 'Bearer realm="tonghu"'),
    "ETag": header("The version answered; send it as If-Match with a change.", '"1"'),
    "Location": header("Where what was made can be read.", "/v1/visits/0199f0c2-8d2e-7000"),
    "Preference-Applied": header("Which preferences were heeded.", "return=minimal"),
    "Idempotency-Replayed": header("`true`: the answer of an earlier identical request.", "true"),
}
_EVERYWHERE = ("RateLimit", "RateLimit-Policy", "X-Request-Id", "Access-Control-Allow-Origin")
_BY_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}

_IDEMPOTENCY_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": 202,
    "pattern": r'^("[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}"|[!-~]{1,200})$',
    "examples": ["5f7c1a52-6f0e-4d8e-9c3a-1b2c3d4e5f60"],
}


def document(app: FastAPI) -> Json:
    """Return the finished OpenAPI 3.1 document of an assembled app."""
    found: Json = get_openapi(
        title="Tonghu",
        version=VERSION,
        openapi_version="3.1.0",
        summary="The API child-protection agencies in rural China build on.",
        description=_DESCRIPTION,
        routes=app.routes,
        contact={"name": "Tonghu", "url": "https://tonghu.example/"},
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[
            {
                "url": "/",
                "description": "This server: production, sandbox or local.",
                "x-internal": False,
            }
        ],
    )
    found["paths"] = {path: found["paths"][path] for path in found["paths"] if path[:4] == "/v1/"}
    dependants = {route.unique_id: route.dependant for route in described(app)}
    for method, operation in _operations(found):
        _finish(method, operation, dependants[operation["operationId"]])
    components = found.setdefault("components", {})
    signing_in: Json = components.get("securitySchemes", {}).get("oauth2", {"flows": {}})
    for flow in signing_in["flows"].values():
        flow["scopes"] = {code: scope.en for code, scope in areas.scopes().items()}
    schemas = components.setdefault("schemas", {})
    _, made = models_json_schema(
        [(ProblemDocument, "validation")], ref_template="#/components/schemas/{model}"
    )
    schemas |= made["$defs"]
    found["webhooks"] = callbacks.webhooks(schemas)
    found["tags"] = [{"name": each.tag, "description": each.en} for each in areas.areas()]
    names.settle(found)
    tidy(found)
    _declare_headers(found)
    whole = str(found)
    used = {name for name in _HEADERS if f"#/components/headers/{name}'" in whole}
    components["headers"] = {name: _HEADERS[name] for name in _HEADERS if name in used}
    _hoist_responses(found)
    _drop_unused_schemas(found)
    return found


def described(app: FastAPI) -> Iterator[RouteContext]:
    """Yield the routes the document describes."""
    for route in iter_route_contexts(app.routes):
        if (route.path or "").startswith("/v1/"):
            yield route


def implied(operation: Json, dependant: Dependant) -> frozenset[type[Problem]]:
    """Collect the problems that follow from what an operation declares, so no route lists them."""
    body = _WITH_BODY if "requestBody" in operation else ()
    names = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    named = (_BY_PARAMETER[name] for name in _BY_PARAMETER.keys() & names)
    return raised_by(dependant).union(_ALWAYS, body, *named)


def _operations(found: Json) -> Iterator[tuple[str, Json]]:
    for methods in found["paths"].values():
        yield from methods.items()


def _finish(method: str, operation: Json, dependant: Dependant) -> None:
    text = operation.get("description", "").strip()
    operation["summary"] = text.partition("\n")[0].rstrip(".")
    operation["description"] = text
    _tell_two_people(operation, dependant)
    _finish_parameters(method, operation)
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    made = responses.get("201") or responses.get("202")
    if made and "200" in responses:  # what was there already is shown like what was made
        responses["200"].setdefault("content", made["content"])
    for status, response in documented(*implied(operation, dependant)).items():
        named = responses.setdefault(str(status), response)["content"][MEDIA_TYPE]["examples"]
        named.update(response["content"][MEDIA_TYPE]["examples"])
    for status, response in responses.items():
        headers = response.setdefault("headers", {})
        names = [*_EVERYWHERE, *_BY_STATUS.get(status, ())]
        if status >= "4":
            names.append("Content-Language")
            _put_in_order(response)
        elif method != "get":
            names.append("Idempotency-Replayed")
            names += ["Preference-Applied"] * ("'prefer'" in str(operation["parameters"]).lower())
        for name in names:
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})
    operation["responses"] = dict(sorted(responses.items()))


def _tell_two_people(operation: Json, dependant: Dependant) -> None:
    """Say when an operation takes two people, or is reviewed by another afterwards."""
    guard = guard_of(dependant)
    if isinstance(guard, Guard):
        operation["x-approval"] = {"when": guard.en, "when_zh": guard.zh}
        operation["description"] += f"\n\nTakes two people (`Approval`): {guard.en}."
    if isinstance(guard, Afterwards):
        hours = int(guard.within.total_seconds() // 3600)
        told = {"what": guard.en, "what_zh": guard.zh, "within_hours": hours}
        operation["x-review"] = told
        operation["description"] += (
            f"\n\nOne person does it; another reviews it within {hours} hours: {guard.en}."
        )


def _declare_headers(found: Json) -> None:
    """Declare what an answer's status and schema make sure of (D11)."""
    read = {path.rpartition("{")[2] for path, methods in found["paths"].items() if "get" in methods}
    for _, operation in _operations(found):
        for status in operation["responses"].keys() & {"200", "201", "202"}:
            response = operation["responses"][status]
            members = _members(found, response)
            headers = response["headers"]
            if "version" in members:
                headers["ETag"] = {"$ref": "#/components/headers/ETag"}
            made = "201" in operation["responses"] and status != "202"
            if made or (status == "202" and any(f"{member}}}" in read for member in members)):
                headers["Location"] = {"$ref": "#/components/headers/Location"}


def _members(found: Json, response: Json) -> Json:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    named = found["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    members: Json = named.get("properties", {})
    return members


def _put_in_order(response: Json) -> None:
    """Order the problems of a status by slug, whoever listed or implied them."""
    content = response["content"][MEDIA_TYPE]
    content["examples"] = dict(sorted(content["examples"].items()))
    summaries = [example["summary"] for example in content["examples"].values()]
    response["description"] = " · ".join(dict.fromkeys(summaries))


def _finish_parameters(method: str, operation: Json) -> None:
    kept = []
    for parameter in operation.pop("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "header":
            parameter["name"] = "-".join(word.capitalize() for word in name.split("-"))
        if name == "idempotency-key":
            if method == "get":
                continue
            parameter["schema"] = _IDEMPOTENCY_KEY
        if name == "if-match":
            parameter["required"] = True
        parameter["schema"] = _not_null(parameter["schema"])
        parameter["schema"].pop("description", None)
        kept.append(parameter)
    if kept:
        operation["parameters"] = kept


def _not_null(schema: Json) -> Json:
    """Drop the null a parameter left out would have in Python: on the wire there is none."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**rest, **choices[0]}


def _hoist_responses(found: Json) -> None:
    """Say a failure many operations share once, in components/responses."""
    seen: dict[str, list[tuple[Json, str]]] = {}
    for _, operation in _operations(found):
        for status, response in operation["responses"].items():
            if status >= "4":
                seen.setdefault(repr(response), []).append((operation["responses"], status))
    shared: Json = {}
    for places in seen.values():
        holder, status = places[0]
        content = next(iter(holder[status]["content"].values()))
        name = f"{status}-{'-or-'.join(sorted(content['examples']))}"
        shared[name] = holder[status]
        for responses, key in places:
            responses[key] = {"$ref": f"#/components/responses/{name}"}
    found["components"]["responses"] = dict(sorted(shared.items()))


def _drop_unused_schemas(found: Json) -> None:
    schemas = found["components"]["schemas"]
    used: set[str] = set()
    waiting: list[Json] = [{**found, "components": {**found["components"], "schemas": {}}}]
    while waiting:
        named = set(re.findall(r"#/components/schemas/([^'\"]+)", str(waiting.pop())))
        waiting += [schemas[name] for name in named - used]
        used |= named
    found["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}
