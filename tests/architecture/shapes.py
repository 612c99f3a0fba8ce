"""What the document must not say if generators are to make good code of it: a rule each (D2…D12).

Each rule takes a document and yields a sentence for every offence, beginning with its place.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from app.api import names
from app.api.schemas import below, every_schema

Json = dict[str, Any]
Rule = Callable[[Json], Iterator[str]]

RESERVED = frozenset(
    {"ApiClient", "Body", "Client", "Configuration", "Date", "Error", "File", "Response", "Type"}
    | {"Unset"}
)
"""Names generators give classes of their own."""

_IDENTIFIER = re.compile(r"[A-Z][A-Za-z0-9]*")
_MADE_UP = re.compile(r"__|Page_|(Input|Output|_)$")


def operations(document: Json, part: str = "paths") -> Iterator[tuple[str, Json]]:
    for methods in document[part].values():
        for operation in methods.values():
            yield operation["operationId"], operation


def places(document: Json) -> Iterator[tuple[str, Json]]:
    """Yield each schema with a name of its place: a component's members as `Visit.place`."""
    for name, operation in operations(document):
        for holder, key in every_schema(operation):
            yield name, holder[key]
    for name, schema in document["components"]["schemas"].items():
        yield name, schema
        yield from _members(name, schema)


def _members(place: str, schema: Json) -> Iterator[tuple[str, Json]]:
    for holder, key in below(schema):
        inside = f"{place}.{key}" if holder is schema.get("properties") else place
        yield inside, holder[key]
        yield from _members(inside, holder[key])


def resolved(document: Json, schema: Json) -> Json:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"].get(name, schema)


def sent(document: Json) -> set[str]:
    """Collect the components that stand in a request, at any depth."""
    found: set[str] = set()
    waiting = [str(operation.get("requestBody")) for _, operation in operations(document)]
    while waiting:
        named = set(re.findall(r"#/components/schemas/(\w+)", waiting.pop())) - found
        found |= named
        waiting += [str(document["components"]["schemas"][name]) for name in named]
    return found


def d2_events_stand_apart(document: Json) -> Iterator[str]:
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    for name, operation in operations(document, "webhooks"):
        if used & {*operation["tags"]}:
            yield f"{name}: its tag is also a path's; generators drop one of the two"
        if not re.match(r"on[A-Z]", name):
            yield f"{name}: the operationId of an event begins with `on`"
    for name, _ in operations(document):
        if re.match(r"on[A-Z]", name):
            yield f"{name}: `on…` is for events"


def d3_one_media_type_a_body(document: Json) -> Iterator[str]:
    for name, operation in operations(document):
        if len(operation.get("requestBody", {}).get("content", "1")) > 1:
            yield f"{name}: one media type a body; another needs an operation of its own"


def d4_no_class_of_a_generator(document: Json) -> Iterator[str]:
    for name in sorted(RESERVED & document["components"]["schemas"].keys()):
        yield f"{name}: generators have a class of that name; give the model a `title`"


def d5_unions_of_objects_only_in_answers(document: Json) -> Iterator[str]:
    requests = sent(document)
    for place, schema in places(document):
        for word in ("anyOf", "oneOf"):
            objects = [
                choice
                for choice in schema.get(word, ())
                if "properties" in resolved(document, choice)
            ]
            if len(objects) < 2:
                continue
            if place.partition(".")[0] in requests:
                yield f"{place}: no union of objects in a request; make members optional"
            elif word == "anyOf" or "discriminator" not in schema:
                yield f"{place}: a union of objects is `oneOf` with a discriminator"


def d6_const_has_a_type(document: Json) -> Iterator[str]:
    for place, schema in places(document):
        if "const" in schema and "type" not in schema:
            yield f"{place}: `const` without `type` is anything at all in Kotlin"


def d7_nothing_inline(document: Json) -> Iterator[str]:
    components = document["components"]["schemas"]
    roots = {id(schema) for schema in components.values()}
    enums: Counter[str] = Counter()
    for place, schema in places(document):
        if "enum" in schema:
            enums[str(schema["enum"])] += 1
        if "properties" in schema and id(schema) not in roots:
            yield f"{place}: an inline object has no name; give it a `title`"
    for part in ("paths", "webhooks"):
        for name, operation in operations(document, part):
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "$ref" not in content["schema"]:
                    yield f"{name}: an inline body has no name; give it a `title`"
    for values, count in enums.items():
        if count > 1:
            yield f"{values}: an enum used twice is a component"


def d8_no_technical_names(document: Json) -> Iterator[str]:
    for name in document["components"]["schemas"]:
        if not _IDENTIFIER.fullmatch(name) or _MADE_UP.search(name):
            yield f"{name}: the name of a schema is CamelCase and tells what it is"
    if not document["info"]["title"].isascii():
        yield "info.title: packages are named after it; keep it ASCII"


def d9_named_members_or_free_ones(document: Json) -> Iterator[str]:
    for place, schema in places(document):
        free = {"propertyNames"} & schema.keys() or isinstance(
            schema.get("additionalProperties"), dict
        )
        if "properties" in schema and free:
            yield f"{place}: typed free members beside named ones"
        choices = [resolved(document, each) for each in (schema, *schema.get("anyOf", ()))]
        codes = [code for each in choices for code in each.get("enum", ())]
        if codes and schema.get("default") not in {None, *codes}:
            yield f"{place}: its default is no member of its enum"


def d10_null_in_one_form(document: Json) -> Iterator[str]:
    null = {"type": "null"}
    for place, schema in places(document):
        choices = schema.get("anyOf", [])
        if isinstance(schema.get("type"), list) or None in schema.get("enum", ()):
            yield f"{place}: write null as `anyOf: [T, null]`"
        if "nullable" in schema or null in schema.get("oneOf", ()):
            yield f"{place}: write null as `anyOf: [T, null]`"
        if null in choices and (choices[-1] != null or len(choices) < 2):
            yield f"{place}: null comes last in `anyOf: [T, null]`"


def d11_answers_say_version_and_place(document: Json) -> Iterator[str]:
    for name, operation in operations(document):
        asked = {parameter["name"] for parameter in operation.get("parameters", ())}
        responses = operation["responses"]
        if "If-Match" in asked and not {"412", "428"} <= responses.keys():
            yield f"{name}: it asks for If-Match, so it may answer 412 and 428"
        for status, response in responses.items():
            headers = response.get("headers", {})
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            members = resolved(document, schema).get("properties", {})
            if status in {"200", "201"} and "version" in members and "ETag" not in headers:
                yield f"{name} {status}: what has a version has an ETag"
            if status in {"201", "202"} and "Location" not in headers:
                yield f"{name} {status}: it must say where to look"
            if status == "204" and "content" in response:
                yield f"{name} 204: it has no content"
            if status in {"200", "201", "202"} and not schema:
                yield f"{name} {status}: what it answers has no schema"


def d12_lists_go_on_by_cursor(document: Json) -> Iterator[str]:
    for name, operation in operations(document):
        asked = {parameter["name"] for parameter in operation.get("parameters", ())}
        answer = operation["responses"].get("200", {}).get("content", {})
        schema = resolved(document, answer.get("application/json", {}).get("schema", {}))
        if schema.get("type") == "array":
            yield f"{name}: a list is a page: items and next_cursor"
        members = schema.get("properties", {})
        if "items" in members and not ("next_cursor" in members and "cursor" in asked):
            yield f"{name}: a page goes on from a cursor"


RULES: dict[str, Rule] = {
    name.partition("_")[0].upper(): rule
    for name, rule in list(globals().items())
    if re.match(r"d\d+_", name)
}


def offences(document: Json) -> set[tuple[str, str]]:
    """Collect (rule, place) of all offences."""
    return {
        (name, said.partition(":")[0]) for name, rule in RULES.items() for said in rule(document)
    }


def stale_names(document: Json) -> set[str]:
    """Collect the names given to enums that are not used twice any more."""
    return names.ENUMS.keys() - document["components"]["schemas"].keys()
