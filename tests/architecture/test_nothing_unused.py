"""What is declared is used, and what may leave the service in clear is decided word by word."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from sqlmodel import SQLModel

from app import wiring
from app.api.problem_pages import every_problem
from app.core.jobs import events, queue
from app.core.jobs.events import BadEvent
from app.core.settings import Settings

HOME = Path(__file__).resolve().parents[2]
SOURCES = {path: path.read_text("utf-8") for path in sorted((HOME / "app").rglob("*.py"))}
TREES = {path: ast.parse(text) for path, text in SOURCES.items()}

OF_ANOTHER_RELEASE = {"police_reports.ask_on": "finishes what the release before has queued"}
"""Jobs that nothing enqueues any more, each with its reason."""

BESIDE_OPERATIONS = {
    *("NotFound", "MethodNotAllowed", "BadRequest"),  # of no operation
    "NotReady",  # of /readyz
    *("PasswordTooWeak", "UsernameInvalid"),  # of a command
    *("FoundedAlready", "StaffUnknown"),  # likewise
}
"""Problems that no operation of the document answers."""

CODES_OF_EVENTS = {
    *(
        "added",
        "bearer_role",
        "by_kind",
        "by_role",
        "categories",
        "decision",
        "escalates_to",
        "fetch",
        "found",
        "left",
    ),
    *("needs", "priority_flags", "reason", "refer_to", "rule", "sections", "source_wire_name"),
    *("stands_in_for", "state", "to_kind", "types", "undecided", "removed", "as_role"),
    "operation",  # an operationId
    "held_since",  # days by category
}
"""Fields of events that are text: codes, all of them. One more is a decision, no oversight."""

LOGGED = {
    *("agency", "client", "error", "failure", "job", "job_id", "ms", "operation", "process"),
    *("reason", "report", "reports", "request_id", "rows", "seconds", "sign_in", "status", "table"),
    *("by", "cause", "do", "exc_info", "figure", "port", "shown_to", "signing", "standing"),
    *("entry_id", "times", "which"),
}
"""What a line of the log may say of anything: ids, codes and numbers (IN-10)."""

PLACES_OF_BEFORE = {"staff.phone"}
"""Names under which a column was sealed that has another name."""


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    wiring.load()


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of a method on something of this name, or of a function of this name."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and re.match(rf"{name}\b", ast.unparse(node.func)):
                yield path, node


def test_who_waits_for_what_nobody_announces_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(events._handlers, "visits.visit_recordet", [("visits.note", bool)])
    with pytest.raises(BadEvent, match=r"visits\.note: .*did you mean visits\.visit_recorded\?"):
        wiring.load()


def test_every_job_is_enqueued_by_something() -> None:
    heard = {name for each in events._handlers.values() for name, _ in each}
    called = {job.name for job in queue.REGISTRY.values() if job.cron is None} - heard
    told = {name for name in called if name.partition(".")[0] in wiring.packages()}
    text = "\n".join(SOURCES.values())
    unasked = set()
    for name in told:
        constant = re.search(rf'^(\w+)(?:: \w+)? = "{re.escape(name)}"', text, re.MULTILINE)
        said = rf"\b{constant[1]}\b" if constant else rf'"{re.escape(name)}"'
        if len(re.findall(said, text)) < (3 if constant else 2):
            unasked.add(name)
    assert unasked == OF_ANOTHER_RELEASE.keys()


def test_every_module_is_imported_by_something() -> None:
    """Else what it declares (a subscriber, a job, a problem) is known to nobody."""
    named = {".".join(path.relative_to(HOME).with_suffix("").parts) for path in SOURCES}
    named = {name.removesuffix(".__init__") for name in named}
    imported = {"app", "app.main", "app.worker", "app.cli", "app.cli.__main__"}
    imported |= {"app.embedded.supervisor"}  # a program of its own
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
            elif isinstance(node, ast.Import):
                imported |= {one.name for one in node.names}
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module":
                imported |= {one.value for one in node.args if isinstance(one, ast.Constant)}
    # Looked for by name.
    loaded = (
        "area",
        "models",
        "events",
        "jobs",
        "facts",
        "owing",
        "figures",
        "router",
        "verifying",
    )
    imported |= {f"app.{name}.{each}" for name in wiring.packages() for each in loaded}
    unknown = {
        name for name in named - imported if not any(n.startswith(f"{name}.") for n in named)
    }
    assert unknown == set()


def test_every_setting_is_read() -> None:
    def fields(group: type[BaseModel]) -> Iterator[str]:
        for name, field in group.model_fields.items():
            yield name
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from fields(field.annotation)

    read = {
        node.attr
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    assert {*fields(Settings)} - read == set()


def test_every_problem_is_documented_by_some_operation(document) -> None:
    documented = set(re.findall(r"/problems/([a-z0-9-]+)", str(document)))
    kinds = [kind for kind in every_problem() if kind.__module__.startswith("app.")]
    silent = {kind.__name__ for kind in kinds if kind.slug() not in documented}
    assert silent == BESIDE_OPERATIONS


def test_events_are_made_of_ids_days_and_codes() -> None:
    def has_text(kind: Any) -> bool:
        return kind is str or any(map(has_text, get_args(kind)))

    text = {
        f"{kind.wire_name}.{name}"
        for kind in events.kinds().values()
        for name, field in kind.model_fields.items()
        if has_text(field.annotation) and name not in CODES_OF_EVENTS
    }
    assert text == set(), "an event carries no words: make it an enum with CODE, or name its codes"


def test_every_event_is_announced_by_something() -> None:
    """Its class is used in some body, not only waited for: a duty that it ends would never end."""
    used = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign
            ):
                inside = getattr(node, "body", None) or [node]
                for each in (one for part in inside for one in ast.walk(part)):
                    used |= {getattr(each, "id", ""), getattr(each, "attr", "")}
    assert {kind.__name__ for kind in events.kinds().values()} - used == set()


def test_a_log_line_says_ids_codes_and_numbers() -> None:
    for path, call in calls("log"):
        where = f"{path.relative_to(HOME)}:{call.lineno}"
        if path.name == "logs.py":
            continue  # passes on what libraries say, without arguments
        said = {each.arg for each in call.keywords if each.arg}
        assert all(isinstance(each, ast.Constant) for each in call.args), f"{where}: a plain word"
        assert said <= LOGGED, (
            f"{where}: take a name of LOGGED for {said - LOGGED}, or add it there"
        )
        assert len(said) == len(call.keywords), f"{where}: name what it says"


def test_what_is_sealed_is_sealed_for_its_own_column() -> None:
    """The name is authenticated: two columns of one name could be exchanged."""
    columns = {str(each) for table in SQLModel.metadata.tables.values() for each in table.columns}
    homes = {
        mapper.local_table.name: mapper.class_.__module__.split(".")[1]  # type: ignore[attr-defined]
        for mapper in SQLModel._sa_registry.mappers
    }
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            if not re.fullmatch(r"[a-z_]+\.[a-z_]+_sealed", node.value):
                continue
            where = f"{path.relative_to(HOME)}:{node.lineno}: {node.value}"
            assert node.value in columns, where
            assert homes[node.value.partition(".")[0]] == path.relative_to(HOME).parts[1], where
    sealed = {ast.unparse(call.args[0]) for _, call in calls(r"[\w.]*keyring\.seal") if call.args}
    plain = {each.strip("'") for each in sealed if each.startswith("'")}
    assert plain - columns == PLACES_OF_BEFORE
