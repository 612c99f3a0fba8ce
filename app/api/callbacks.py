"""The `webhooks` part of the document, read off the event classes (Standard Webhooks, R3, R5)."""

from typing import Any

from app.core.jobs import events
from app.core.jobs.events import Event

Json = dict[str, Any]
_TEXT = r"^[\x20-\x7e]+$"


def header(description: str, example: str) -> Json:
    """Describe a header of plain text."""
    schema = {"type": "string", "maxLength": 500, "pattern": _TEXT}
    return {"description": description, "schema": schema, "example": example}


_HEADERS = {
    "webhook-id": header(
        "The delivery's name, the same on every attempt: use it to drop duplicates.",
        "0199f0c2-8d2e-7000-8000-000000000001",
    ),
    "webhook-timestamp": header("Unix seconds of this attempt.", "1795226700"),
    "webhook-signature": header(
        "HMAC-SHA256 of `id.timestamp.body` under each valid secret, space-separated.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
_PARAMETERS = [
    {"name": name, "in": "header", "required": True, **said} for name, said in _HEADERS.items()
]
_REGION = {"type": "string", "minLength": 12, "maxLength": 12, "pattern": "^[0-9]{12}$"}
_ADDED: Json = {
    "event_id": {"type": "string", "format": "uuid", "description": "Names the event."},
    "sequence": {
        "type": "integer",
        "minimum": 1,
        "maximum": 2**53 - 1,
        "description": "Counts the facts about the subject. What you may not hear of leaves a gap.",
    },
}
_THIN = (
    "Ids, codes, times and counts, and nothing else. Who and what it is about is fetched with your"
    " own token, and shown as far as your role reads it."
)
_RESPONSES = {
    "2XX": {"description": "Received and kept. Anything else is tried again."},
    "410": {"description": "Stop sending, if the delivery is not mandatory."},
}


def webhooks(schemas: Json) -> Json:
    """Describe one delivery per kind of event; payload schemas are added to `schemas`."""
    return {
        kind.wire_name: {"post": _delivery(kind, schemas)}
        for _, kind in sorted(events.kinds().items())
    }


def _delivery(kind: type[Event], schemas: Json) -> Json:
    text = " ".join((kind.__doc__ or "").split())
    name = f"{kind.__name__}Event"
    schemas[name] = {
        "type": "object",
        "description": text,
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "const": kind.wire_name, "description": "What happened."},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened.",
            },
            "data": {"$ref": f"#/components/schemas/{kind.__name__}Data"},
        },
    }
    schemas[f"{kind.__name__}Data"] = _data(kind, schemas)
    words = kind.wire_name.replace(".", "_").split("_")
    return {
        "tags": ["Events"],
        "operationId": "on" + "".join(word.title() for word in words),
        "summary": text.partition(". ")[0].rstrip("."),
        "description": text,
        "parameters": _PARAMETERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        },
        "responses": _RESPONSES,
    }


def _data(kind: type[Event], schemas: Json) -> Json:
    """Describe what a delivery of this kind carries: the event's fields, with region codes as text.

    What they may hold is checked as they are loaded (`bodies`): so each text has a form.
    """
    data = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(data.pop("$defs", {}))
    del data["title"]
    data["description"] = _THIN
    kept: Json = {
        field: schema
        for field, schema in data["properties"].items()
        if not kind.model_fields[field].exclude
    }
    for schema in kept.values():
        _bound(schema)
    for field in ("region_code", "home_county"):
        kept[field] = {**_REGION, "description": kept[field]["description"]}
    data["properties"] = {**_ADDED, **kept}
    data["required"] = list(data["properties"])
    return data


def _bound(schema: Json) -> None:
    if schema.get("type") == "integer":
        if "exclusiveMinimum" not in schema:
            schema.setdefault("minimum", 0)
        if "exclusiveMaximum" not in schema:
            schema.setdefault("maximum", 2**31 - 1)
    elif schema.get("type") == "array":
        schema.setdefault("maxItems", 1000)
    for inner in (schema.get("items"), *schema.get("anyOf", ())):
        if isinstance(inner, dict):
            _bound(inner)
