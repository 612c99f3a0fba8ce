"""Make every schema of the document say its bounds the way linters and generators read them."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_LENGTHS = {"uuid": 36, "date": 10, "date-time": 40, "uri": 2000}
_INT32 = 2**31 - 1
_INSIDE = ("items", "not", "additionalProperties", "propertyNames", "contains")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "$defs", "patternProperties")
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
_BOUNDS = {
    "string": {"minLength", "maxLength", "pattern", "format", "enum"},
    "integer": {"minimum", "maximum"},
}


def every_schema(document: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the place (holder, key) of each schema of a document, outer ones first."""
    if isinstance(document, list):
        for item in document:
            yield from every_schema(item)
    if not isinstance(document, dict):
        return
    for key, value in list(document.items()):
        if key == "schema" and isinstance(value, dict):
            yield from _with_inner(document, key)
        elif key == "schemas" and isinstance(value, dict):
            for name in list(value):
                yield from _with_inner(value, name)
        elif key not in {"example", "examples"}:
            yield from every_schema(value)


def below(schema: Json) -> Iterator[tuple[Any, Any]]:
    """Yield the place (holder, key) of each schema right below one."""
    for key in _INSIDE:
        if isinstance(schema.get(key), dict):
            yield schema, key
    for key in _LISTS:
        yield from ((schema[key], place) for place in range(len(schema.get(key, ()))))
    for key in _NAMED:
        yield from ((schema[key], name) for name in schema.get(key, {}))


def _with_inner(holder: Any, key: Any) -> Iterator[tuple[Any, Any]]:
    yield holder, key
    for inner_holder, inner_key in below(holder[key]):
        yield from _with_inner(inner_holder, inner_key)


def tidy(document: Json) -> None:
    """Tidy each schema of a document, in place."""
    for holder, key in every_schema(document):
        _tidy_schema(holder[key])


def _tidy_schema(schema: Json) -> None:
    schema.pop("title", None)  # made from the field's own name: says nothing new
    if isinstance(schema.get("type"), list) or None in schema.get("enum", ()):
        _spread(schema)
    if "const" in schema:
        schema.setdefault("type", _JSON_TYPES[type(schema["const"])])
    if schema.get("type") == "integer":
        highest = schema.get("maximum") or schema.get("exclusiveMaximum") or 2**63
        big = int(highest) > _INT32
        schema.setdefault("format", "int64" if big else "int32")
    elif schema.get("type") == "string" and schema.get("format") in _LENGTHS:
        schema.setdefault("maxLength", _LENGTHS[schema["format"]])


def _spread(schema: Json) -> None:
    """Write several types, null among them, as `anyOf`, the one form there is (D10)."""
    enum = [value for value in schema.pop("enum", ()) if value is not None]
    types = schema.pop("type", ["string", "null"])
    choices: list[Json] = []
    for kind in sorted(types, key="null".__eq__):
        bounds = _BOUNDS.get(kind, set()) & schema.keys()
        choices.append({"type": kind} | {word: schema[word] for word in sorted(bounds)})
        if enum and kind == "string":
            choices[-1]["enum"] = enum
    for word in set().union(*_BOUNDS.values()) & schema.keys():
        del schema[word]
    schema["anyOf"] = choices
