"""Give what generators make classes of a name: bodies, items, event data, enums used twice.

A model is named after its class, or after its `title` where the class's own name would not do.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from app.api.schemas import below, every_schema

Json = dict[str, Any]
_REF = "#/components/schemas/"
_IDENTIFIER = re.compile(r"[A-Z][A-Za-z0-9]*")
_SIDE = re.compile(r"(\w+)-(?:Input|Output)\b")
ENUMS = {
    "AlertState": "DropoutAlert.state",
    "AttendanceCategory": "AttendanceEvent.category",
    "AttendanceSession": "AttendanceEvent.session",
    "ClientKind": "RegisteredClient.kind",
    "DeliveryClass": "Delivery.delivery_class",
    "HouseholdMember": "Residence.lives_with",
    "IncomeSource": "Welfare.income_sources",
    "ParentCondition": "ParentStatus.status",
    "Participant": "Assessment.participants",
    "Rating": "Guardianship.evaluation",
    "ReturnKind": "SchoolReturnCreate.kind",
    "Sex": "Identity.sex",
}
"""Names of enums used twice that a place of theirs would not tell, and that place. Any other is
named after the shortest schema it stands in: `kind` of `Visit` and `VisitCreate` → `VisitKind`."""


class NameTaken(Exception):
    """Two different schemas claim one name: give one of the models a `title` of its own."""


def settle(found: Json) -> None:
    """Name every schema of a document that needs a name, in place. Raises NameTaken."""
    _rename(found)
    _name_objects(found)
    _name_enums(found)


def _rename(found: Json) -> None:
    schemas: Json = found["components"]["schemas"]
    new = {name: _wanted(name, schemas) for name in schemas}
    for base in _differing(schemas):
        new[f"{base}-Input"] += "Write"
    renamed: Json = {}
    for name, schema in schemas.items():
        _add(renamed, new[name], _redirected(schema, new))
    found["paths"] = _redirected(found["paths"], new)
    found["components"]["schemas"] = renamed


def _wanted(name: str, schemas: Json) -> str:
    title = str(schemas[name].get("title", name))
    if title.startswith("Page["):
        items = schemas[name]["properties"]["items"]["items"]
        return _wanted(_target(items), schemas) + "Page"
    return title if _IDENTIFIER.fullmatch(title) else name


def _target(schema: Json) -> str:
    return str(schema.get("$ref", "")).removeprefix(_REF)


def _differing(schemas: Json) -> set[str]:
    """Find the models that are not the same to send and to receive, in themselves or below."""
    pairs = {name[:-6] for name in schemas if name.endswith("-Input")}
    apart: set[str] = set()

    def text(name: str) -> str:
        whole = json.dumps(schemas[name], sort_keys=True)
        return _SIDE.sub(lambda m: m[0] if m[1] in apart else m[1], whole)

    while more := {
        base for base in pairs - apart if text(f"{base}-Input") != text(f"{base}-Output")
    }:
        apart |= more
    return apart


def _redirected(node: Any, new: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_redirected(item, new) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _redirected(value, new) for key, value in node.items()}
    if _target(node) in new:
        node["$ref"] = _REF + new[_target(node)]
    return node


def _name_objects(found: Json) -> None:
    """Move each inline object that has members, and each inline body, to the components."""
    schemas: Json = found["components"]["schemas"]
    bodies = [
        content
        for methods in found["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    inner_first = reversed(list(every_schema(found)))
    for holder, key in inner_first:
        schema = holder[key]
        if holder is schemas or "$ref" in schema:
            continue
        if "properties" in schema or any(holder is body for body in bodies):
            _add(schemas, schema["title"], schema)
            holder[key] = {"$ref": _REF + schema["title"]}


def _name_enums(found: Json) -> None:
    schemas: Json = found["components"]["schemas"]
    used: dict[str, list[tuple[Any, Any]]] = {}
    for holder, key in every_schema(found):
        if holder is not schemas and "enum" in holder[key]:
            used.setdefault(repr(holder[key]["enum"]), []).append((holder, key))
    owners: dict[str, list[str]] = {}
    for owner, schema in schemas.items():
        for member, values in _enums_of(schema):
            owners.setdefault(values, []).append(f"{owner}.{member}")
    pinned = {place: name for name, place in ENUMS.items()}
    for values, places in used.items():
        if len(places) == 1 or values not in owners:
            continue
        names = [pinned[owner] for owner in owners[values] if owner in pinned]
        name = names[0] if names else _derived(owners[values])
        for holder, key in places:
            enum = holder[key]
            holder[key] = {"$ref": _REF + name} | {
                word: enum[word] for word in ("description", "default", "examples") if word in enum
            }
            _add(schemas, name, {word: enum[word] for word in ("type", "enum") if word in enum})


def _enums_of(schema: Json, member: str = "") -> Iterator[tuple[str, str]]:
    for holder, key in below(schema):
        name = member or str(key)
        if "enum" in holder[key]:
            yield name, repr(holder[key]["enum"])
        yield from _enums_of(holder[key], name)


def _derived(places: list[str]) -> str:
    """Name an enum after the shortest of the schemas it stands in, and the member there."""
    owner, _, member = min(places, key=lambda place: (len(place), place)).partition(".")
    return owner + "".join(word.title() for word in member.split("_"))


def _add(schemas: Json, name: str, schema: Json) -> None:
    if schemas.setdefault(name, schema) != schema:
        raise NameTaken(name)
