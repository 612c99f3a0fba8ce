"""The operations of the API, read from the document that third parties read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: the scope of its `security` entry, its headers and path parameters."""

    id: str
    method: str
    path: str
    scope: str
    headers: frozenset[str]
    names: tuple[str, ...]
    needs_purpose: bool

    @property
    def personal(self) -> bool:
        """Whether it opens personal data: for a purpose, but that evidence is taken without one."""
        return "Purpose-Of-Use" in self.headers


def operations(document: Mapping[str, Any]) -> dict[str, Operation]:
    """Every operation of an OpenAPI document, by operationId."""
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            ((scopes,),) = (requirement.values() for requirement in operation["security"])
            (scope,) = scopes
            parameters = operation.get("parameters", ())
            found[operation["operationId"]] = Operation(
                operation["operationId"],
                method.upper(),
                path,
                scope,
                frozenset(each["name"] for each in parameters if each["in"] == "header"),
                tuple(each["name"] for each in parameters if each["in"] == "path"),
                any(each["name"] == "Purpose-Of-Use" and each["required"] for each in parameters),
            )
    return found
