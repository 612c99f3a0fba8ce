"""The `webhooks` part of the document, read off the event classes (Standard Webhooks, R3, R5)."""

from collections.abc import Iterator
from typing import Any

from app.core.events import Event

Json = dict[str, Any]

_TEXT = r"^[\x20-\x7e]+$"


def _header(name: str, description: str, example: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string", "maxLength": 500, "pattern": _TEXT},
        "example": example,
    }


_PARAMETERS = [
    _header(
        "webhook-id",
        "The delivery's name, the same on every attempt: use it to drop duplicates.",
        "0199f0c2-8d2e-7000-8000-000000000001",
    ),
    _header("webhook-timestamp", "Unix seconds of this attempt.", "1795226700"),
    _header(
        "webhook-signature",
        "HMAC-SHA256 of `id.timestamp.body` under each valid secret, space-separated.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
]
_RESPONSES = {
    "2XX": {"description": "Received and kept. Anything else is tried again."},
    "410": {"description": "Stop sending, if the delivery is not mandatory."},
}


def every_event(base: type[Event] = Event) -> Iterator[type[Event]]:
    """Yield every kind of event the loaded code announces."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("app."):
            yield kind
        yield from every_event(kind)


def webhooks(schemas: Json) -> Json:
    """Describe one delivery per kind of event; payload schemas are added to `schemas`."""
    return {
        kind.wire_name: {"post": _delivery(kind, schemas)}
        for kind in sorted(every_event(), key=lambda kind: kind.wire_name)
    }


def _delivery(kind: type[Event], schemas: Json) -> Json:
    name = f"{kind.__name__}Event"
    data = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(data.pop("$defs", {}))
    text = " ".join((kind.__doc__ or "").split())
    data.pop("description", None)
    schemas[name] = {
        "type": "object",
        "description": text,
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": kind.wire_name, "description": "What happened."},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened.",
            },
            "data": data,
        },
    }
    return {
        "tags": ["Webhooks"],
        "operationId": "on"
        + "".join(word.title() for word in kind.wire_name.replace(".", "_").split("_")),
        "summary": text.partition(". ")[0].rstrip("."),
        "description": text,
        "parameters": _PARAMETERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        },
        "responses": _RESPONSES,
    }
