"""Make every schema of the document say its bounds the way linters and generators read them."""

from typing import Any

Json = dict[str, Any]

_LENGTHS = {"uuid": 36, "date": 10, "date-time": 40, "uri": 2000}
_INT32 = 2**31 - 1
_INSIDE = ("items", "not", "additionalProperties", "propertyNames", "contains")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")


def tidy(document: Any) -> None:
    """Walk a document; tidy each schema below `schema` and `schemas`, in place."""
    if isinstance(document, list):
        for item in document:
            tidy(item)
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        if key == "schema" and isinstance(value, dict):
            _tidy_schema(value)
        elif key == "schemas" and isinstance(value, dict):
            for schema in value.values():
                _tidy_schema(schema)
        elif key not in {"example", "examples"}:
            tidy(value)


def _tidy_schema(schema: Json) -> None:
    schema.pop("title", None)  # made from the field's own name: says nothing new
    if schema.get("type") == "integer":
        highest = schema.get("maximum") or schema.get("exclusiveMaximum") or 2**63
        big = int(highest) > _INT32
        schema.setdefault("format", "int64" if big else "int32")
    elif schema.get("type") == "string" and schema.get("format") in _LENGTHS:
        schema.setdefault("maxLength", _LENGTHS[schema["format"]])
    for key in _INSIDE:
        if isinstance(schema.get(key), dict):
            _tidy_schema(schema[key])
    for key in _LISTS:
        for inner in schema.get(key, ()):
            _tidy_schema(inner)
    for key in ("properties", "$defs", "patternProperties"):
        for inner in schema.get(key, {}).values():
            _tidy_schema(inner)
