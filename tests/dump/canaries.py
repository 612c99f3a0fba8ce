"""Everything that is sent in words is sent as a canary: a text that is nowhere else, by field."""

import base64
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from re import fullmatch, sub
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from app.children.naming import spell
from tests.dump.opening import Opened

FILLED = ("createChild", "changeChild", "recordVisit", "correctVisit")
"""Operations whose every field in words is sent, also those that a test leaves out."""
CODES = (".situations", ".findings.type")
"""Fields whose codes tell of a case: of a report, of a finding."""
_DIGITS = "甲乙丙丁戊己庚辛壬癸"


def text(number: int) -> str:
    """Make a canary: five characters, which may be a name."""
    return "鹮" + "".join(_DIGITS[int(digit)] for digit in f"{number:04d}")


def forms(word: str) -> Iterator[bytes]:
    """Yield the bytes by which a text would be seen: as it is, in Latin letters, escaped as JSON,
    in hexadecimal and, wherever it begins in what was encoded, in base64.
    """
    raw = word.encode()
    yield raw
    if not word.isascii():
        yield spell(word)["name_pinyin"].encode()  # type: ignore[union-attr]
        yield json.dumps(word)[1:-1].encode()
    yield raw.hex().encode()
    for skipped in range(3):
        encoded = base64.b64encode(b"\0" * skipped + raw)
        yield encoded[4 if skipped else 0 : -4]


class Cage(httpx.AsyncBaseTransport):
    """Sends on what it is given, with canaries in it. `sent`: each, with where it was sent first;
    `codes`: the codes of cases likewise. `fields`: every field that was sent in words.
    `since`: when it began, as files have it. `opened`: what sealed columns hold.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.since = 0.0
        self.opened = Opened()
        self.sent: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        self.fields: set[str] = set()
        self._instead: dict[str, str] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        told = request.headers.get("content-type", "").startswith("application/json")
        found = _asked(request.method, request.url.path) if told else None
        if found is not None:
            operation, schema = found
            body = json.loads(await request.aread())
            changed = self._body(operation, schema, body)
            raw = json.dumps(changed, ensure_ascii=False).encode()
            headers = {**request.headers, "content-length": str(len(raw))}
            request = httpx.Request(
                    request.method, request.url, headers=headers, content=raw,
                    extensions=request.extensions,
                )  # fmt: skip
        return await self.inner.handle_async_request(request)

    def _body(self, operation: str, schema: Mapping[str, Any], body: dict[str, Any]) -> Any:
        """Put canaries into a body; into what is proposed the same as when that is sent."""
        if operation != "proposeApproval" or body["body"] is None:
            return self._changed(operation, schema, body, fill=operation in FILLED)
        proposed, beside = body["operation"], {**body, "body": None}
        said = self._body(proposed, _schemas()[proposed], body["body"])
        return {**self._changed(operation, schema, beside, fill=False), "body": said}

    def _changed(self, where: str, schema: Mapping[str, Any], value: Any, *, fill: bool) -> Any:
        kind = _fitting(schema, value)
        if isinstance(value, dict):
            known = kind.get("properties", {})
            said = {
                name: self._changed(f"{where}.{name}", known.get(name, {}), each, fill=fill)
                for name, each in value.items()
            }
            for name, each in known.items() if fill else ():
                if said.get(name) is None and (free := _fitting(each, text(0))) and _free(free):
                    said[name] = self._canary(f"{where}.{name}", f"{where}.{name}")
            return said
        if isinstance(value, list):
            items = kind.get("items", {})
            return [self._changed(where, items, each, fill=fill) for each in value]
        if not isinstance(value, str):
            return value
        if where.endswith(CODES):
            self.codes.setdefault(value, where)
            return value
        return self._canary(where, value) if _free(kind) else self._kept(where, kind, value)

    def _canary(self, where: str, value: str) -> str:
        """Say a canary instead of a text, the same again for the same."""
        self.fields.add(where)
        number = len(self._instead) + 1
        word = self._instead.setdefault(value, text(number))
        self.sent.setdefault(word, where)
        return word

    def _kept(self, where: str, kind: Mapping[str, Any], value: str) -> str:
        """Words that must be longer, and numbers of persons, are canaries as they are."""
        personal = "pattern" in kind and "region" not in where.rpartition(".")[2]
        if not value.isascii() or (personal and fullmatch("[0-9]{10,}X?", value)):
            self.sent.setdefault(value, where)
            self.fields.add(where)
        return value


def _free(kind: Mapping[str, Any]) -> bool:
    """Tell whether a field takes any words: such as a canary."""
    limited = {"enum", "const", "format"} & kind.keys()
    return bool(
        kind.get("type") == "string"
        and not limited
        and "maxLength" in kind
        and Draft202012Validator({**kind}).is_valid(text(0))
    )


@cache
def _document() -> dict[str, Any]:
    return dict(json.loads(Path("openapi/v1.json").read_bytes()))


@cache
def _schemas() -> dict[str, Mapping[str, Any]]:
    """Return the schema of the body of each operation that takes one in JSON."""
    return {
        operation["operationId"]: content["application/json"]["schema"]
        for path in _document()["paths"].values()
        for operation in path.values()
        if "application/json" in (content := operation.get("requestBody", {}).get("content", {}))
    }


def _asked(method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
    """Return the operation that is asked for, and the schema of its body."""
    for known in sorted(_document()["paths"], key=lambda each: each.count("{")):
        operation = _document()["paths"][known].get(method.lower())
        if operation and fullmatch(sub(r"{\w+}", "[^/]+", known), path):
            schema = _schemas().get(operation["operationId"])
            return None if schema is None else (operation["operationId"], schema)
    return None


def _fitting(schema: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """Return the part of a schema that is about a value, references followed."""
    while "$ref" in schema:
        schema = _document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = [_fitting(each, value) for each in schema.get("anyOf", schema.get("oneOf", ()))]
    if not kinds:
        return schema
    types = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    wanted = types.get(type(value))
    return next((each for each in kinds if each.get("type") == wanted), {})
