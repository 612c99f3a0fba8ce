"""Errors we expect, each answered as an RFC 9457 problem document in Chinese or English."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Final, Self, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
Dependency = TypeVar("Dependency", bound=Callable[..., Any])


class FieldError(BaseModel):
    """One thing that is wrong, and where. Never repeats what was sent (IN-4)."""

    model_config = ConfigDict(extra="forbid")
    pointer: str = Field(
        max_length=300,
        pattern=r"^[\x20-\x7e]*$",
        description="JSON pointer into the body, or the name of the parameter or header.",
        examples=["#/birth_date"],
    )
    code: str = Field(
        max_length=80,
        pattern=r"^[a-z0-9_.-]+$",
        description="Stable name of the rule that was broken.",
        examples=["date_in_future"],
    )
    detail: str = Field(
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="What is wrong, for a person.",
        examples=["A date of birth cannot lie in the future."],
    )

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(pointer=pointer, code=code, detail=detail)


def pointer_to(*steps: str | int, within: str = "#") -> str:
    """Write a JSON pointer. A step that is no name of ours is the caller's own word, or a child's
    name in its place: it is told as `?`.
    """
    told = (str(step) if type(step) is int or step in our_names() else "?" for step in steps)
    return "/".join([within, *told])[:300]


def pointer_again(told: str) -> str:
    """Write again where something stands, of `/` and steps as somebody called them."""
    steps = told.split("/")[1:]
    return pointer_to(*(int(step) if re.fullmatch(r"\d{1,3}", step) else step for step in steps))


@cache
def our_names() -> frozenset[str]:
    """Collect what the fields of all models are called."""
    found, waiting = set[str](), [BaseModel]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        found |= {name for field in kind.model_fields.items() for name in _called(*field)}
    return frozenset(found)


def _called(name: str, field: FieldInfo) -> Iterator[str]:
    yield from (said for said in (name, field.alias, field.validation_alias) if type(said) is str)


class ProblemDocument(BaseModel):
    """What a client receives whenever a request fails (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(
        max_length=200,
        pattern=r"^/problems/[a-z0-9-]+$",
        description="Stable name of the problem; the page behind it explains it.",
        examples=["/problems/child-not-found"],
    )
    title: str = Field(
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="The problem in one line, in the language asked for.",
        examples=["No such child"],
    )
    status: int = Field(ge=400, le=599, description="The HTTP status.")
    detail: str | None = Field(
        default=None,
        max_length=1000,
        pattern=r"^[^\x00]*$",
        description="What to do about this occurrence.",
    )
    errors: list[FieldError] | None = Field(
        default=None, max_length=1000, description="Each field that breaks a rule."
    )
    request_id: str | None = Field(
        default=None,
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Quote this when asking for help; it is in the operator's log.",
    )


class Cause(StrEnum):
    """Why somebody is told to come back, in a word: for the log and the figures (`docs/operate.md`
    says of each what to do). Nobody is told it who asks.
    """

    lane_full = "lane_full"
    """No place in the lane came free in time."""
    pool_full = "pool_full"
    """No database connection came free in time."""
    database_away = "database_away"
    database_silent = "database_silent"
    """It is connected, and does not answer."""
    database_full = "database_full"
    """It has no room: of disk, memory or connections."""
    lock = "lock"
    """Somebody else holds the row, and does not let go."""
    collision = "collision"
    """Two waited for one another, or changed the same."""
    statement_timeout = "statement_timeout"
    outcome_unknown = "outcome_unknown"
    """The database went away at the commit."""
    record_away = "record_away"
    """The audit cannot be written."""
    report_waits = "report_waits"
    """A report was taken in meanwhile, and is filed later."""
    draining = "draining"
    not_migrated = "not_migrated"
    no_month = "no_month"
    """No partition takes the rows of this month."""
    wrong_keys = "wrong_keys"
    asked_too_much = "asked_too_much"
    """429: one caller, address or account, whoever else asks."""
    other = "other"


class Problem(Exception):
    """An expected failure. Subclass it next to the operation that raises it.

    `denies`: the answer refuses access to personal data, which is audited (AUD-1). `points`: it has
    the Location of what stands in the way. `cause`: of a 503, why.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    title_zh: ClassVar[str] = "内部错误"
    denies: ClassVar[bool] = False
    points: ClassVar[bool] = False
    cause: Cause = Cause.other
    errors: Sequence[FieldError] = ()

    def __init_subclass__(
        cls, *, status: int | None = None, denies: bool = False, points: bool = False
    ) -> None:
        if status is not None:
            cls.status, cls.denies, cls.points = status, denies, points

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        children: Sequence[UUID] = (),
    ) -> None:
        """`children`: those the answer tells something of, which is audited too."""
        super().__init__(self.title)
        self.children = tuple(children)
        self.kept: Callable[[Any], Awaitable[None]] | None = None
        self.detail = detail
        self.errors = tuple(errors) or self.errors
        self.headers = dict(headers or {})

    def keep(self, store: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Have `store(tx, *arguments)` run in a transaction after the one that is taken back: what
        must be remembered although the request is refused. Only of a problem that is audited.
        """
        self.kept = lambda tx: store(tx, *arguments)

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> Self:
        return cls(errors=[FieldError(pointer, code, detail)])

    @classmethod
    def slug(cls) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def document(self, *, language: str, request_id: str | None) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": f"/problems/{self.slug()}",
            "title": self.title_zh if language == "zh" else self.title,
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.errors:
            document["errors"] = [error.model_dump() for error in self.errors[:1000]]
        if request_id:
            document["request_id"] = request_id
        return document


def language_of(accept_language: str) -> str:
    """Choose `zh` or `en` from an Accept-Language header (RFC 9110 §12.5.4); default `en`."""
    best, best_quality = "en", 0.0
    for part in accept_language.split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        language = tag.split("-")[0].lower()
        match = re.fullmatch(r"\s*q=([01](?:\.\d{1,3})?)\s*", parameters)
        quality = float(match[1]) if match else (0.0 if parameters.strip() else 1.0)
        if language in {"zh", "en"} and quality > best_quality:
            best, best_quality = language, quality
    return best


Tell = Callable[[Request, Problem], Response | None]
_ON_PAGES: Final[dict[str, Tell]] = {}


def on_page(path: str, tell: Tell) -> None:
    """Have who asks for a path, a person with a browser, told on a page; None: as all others."""
    _ON_PAGES[path] = tell


def response_to(request: Request, problem: Problem) -> Response:
    """Answer a problem as `application/problem+json`, in the caller's language; on a page for
    people, if there is one that says it.
    """
    request.scope["cause"] = problem.cause
    tell = _ON_PAGES.get(request.scope["path"])
    if tell is not None and (page := tell(request, problem)) is not None:
        return page
    language = language_of(request.headers.get("accept-language", ""))
    request_id = request.scope.get("request_id")
    return Response(
        orjson.dumps(problem.document(language=language, request_id=request_id)),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"content-language": language, "vary": "accept-language", **problem.headers},
    )


def raises(*problems: type[Problem]) -> Callable[[Dependency], Dependency]:
    """Say on a dependency what it raises; every operation that depends on it documents that."""

    def mark(dependency: Dependency) -> Dependency:
        vars(dependency)["raises"] = problems
        return dependency

    return mark


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Describe the problems an endpoint can answer with, grouped by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        content = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}, "examples": {}}
        response = responses.setdefault(
            problem.status, {"description": problem.title, "content": {MEDIA_TYPE: content}}
        )
        response["content"][MEDIA_TYPE]["examples"][problem.slug()] = {
            "summary": problem.title,
            "value": problem().document(language="en", request_id=None),
        }
        if problem.points:
            response["headers"] = {"Location": {"$ref": "#/components/headers/Location"}}
    return responses
