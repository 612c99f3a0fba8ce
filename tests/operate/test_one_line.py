"""Whatever is wrong, every command says it in one line and ends with a code that is not 0."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from app.cli import commands, overview
from app.core.data.crypto import Keyring
from app.embedded import postgres
from tests import schema
from tests.architecture.test_shape import HOME

ID = "00000000-0000-7000-8000-000000000001"
BY = ("--by", "op.one", "--password", "x")
PLACE = "120119101000"

ON_THE_DATABASE: dict[str, tuple[str, ...]] = {
    "serve": ("--port", "{port}"),
    "worker": (),
    "migrate": (),
    "init": ("--first", "甲", "a", "--second", "乙", "b"),
    "breach": ("--since", "2026-01-01", "--until", "2026-01-02"),
    "year": ("2026",),
    "agencies create": ("--kind", "school", "--name", "x", "--region", PLACE, *BY),
    "clients create": ("--name", "x", "--agency", ID, "--role", "school", "--region", PLACE, *BY),
    "staff create": ("--agency", ID, "--name", "x", "--username", "y", *BY),
    "staff same": (ID, ID, *BY),
    "posts add": ("--agency", ID, "--role", "x", "--region", PLACE, "--title", "x", *BY),
    "posts hold": (ID, ID, "--since", "2026-01-01", *BY),
    "approvals list": BY,
    "approvals show": (ID, *BY),
    "approvals decide": (ID, "--verdict", "approved", "--reason", "x", *BY),
    "regions load": (),
    "regions import": ("{villages}",),
    "regions add": (PLACE, "x", "--on", "2026-01-01", "--source", "x"),
    "regions replace": (PLACE, PLACE, "--on", "2026-01-01"),
    "duties explain": ("VIS-01", "--child", ID),
    "retention": (),
    "retention run": (),
    "jobs held": (),
    "jobs schedules": (),
    "jobs release": ("1",),
    "keys check": ("{keys}",),
    "keys rotate": ("{keys}",),
    "keys re-encrypt": (),
    "audit export": ("{folder}/audit.jsonl",),
    "audit witness": ("x", "--agency", ID, *BY),
    "audit witnesses": BY,
    "audit start-log": ("x", *BY),
}
"""What each command is given that needs the database."""

WITHOUT: dict[str, tuple[str, ...]] = {
    "revision": ("x",),
    "clauses": (),
    "openapi": (),
    "keys generate": ("{folder}/new.json",),
    "keys list": ("{keys}",),
    "keys retire": ("{keys}", "x"),
}
OF_OTHERS = {
    *("keys rotate-index", "keys drop-index", "keys rotate-data", "keys drop", "audit keygen"),
    *("keys rotate-spool", "keys drop-spool"),
    *("backup", "wal", "restore", "verify", "sealer"),
}
"""Commands that `tests/backup`, `tests/faults` and `tests/sealing` try."""
OF_KEYS = {"migrate"}
"""Commands that need no keys."""
OWN_FOLDER = {"revision", "clauses", "openapi", "keys list", "keys generate"}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Tonghu:
    """Runs commands. `urls`: of the databases they may be sent to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.operate.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=HOME,
            text=True,
        )

    def __call__(
        self,
        *arguments: str,
        room: int | None = None,
        output: str = "",
        **settings: str,
    ) -> Ended:
        mine = {name: value for name, value in os.environ.items() if name[:7] != "TONGHU_"}
        asked = {
            "arguments": arguments,
            "environment": mine | {"PYTHONPATH": str(HOME), **settings},
            "folder": str(self._folder),
            "room": room,
            "output": output,
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


class Place(NamedTuple):
    """A folder with a key file, a file of villages, and databases."""

    tonghu: Tonghu
    folder: Path
    empty: schema.Urls
    port: int
    taken: socket.socket

    @property
    def keys(self) -> str:
        return str(self.folder / "keys.json")

    def given(self, arguments: tuple[str, ...]) -> list[str]:
        named = {"keys": self.keys, "folder": self.folder, "port": self.port}
        villages = self.folder / "villages.csv"
        return [each.format(**named, villages=villages) for each in arguments]


@pytest.fixture(scope="module")
def place(pg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("operator")
    (folder / "keys.json").write_text(Keyring.generate().to_json())
    (folder / "keys.json").chmod(0o600)
    head = "code,name,streetCode,provinceCode,cityCode,areaCode\n"
    (folder / "villages.csv").write_text(
        f"{head}120119101901,测试村委会,120119101,12,1201,120119\n"
    )
    name = f"tonghu_one_line_{os.getpid()}"
    postgres.bootstrap(pg, name, schema.PASSWORD, schema.PASSWORD)
    tonghu = Tonghu(folder)
    taken = socket.create_server(("127.0.0.1", 0))
    try:
        yield Place(tonghu, folder, schema.urls_of(pg, name), taken.getsockname()[1], taken)
    finally:
        taken.close()
        tonghu.close()
        asyncio.run(schema.drop(pg, name))


def one_line(ended: Ended, which: object = None) -> str:
    lines = ended.err.strip().splitlines()
    assert ended.code != 0, which
    assert "Traceback" not in ended.err + ended.out, which
    assert "A fault of the program" not in ended.err, (which, lines)
    assert len(lines) == 1, (which, lines)
    assert schema.PASSWORD not in lines[0], which
    return lines[0]


def all_commands(group: Any = None, *path: str) -> Iterator[str]:
    group = group or typer.main.get_command(commands.app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None or command.invoke_without_command:
            yield " ".join([*path, name])
        if inner is not None:
            yield from all_commands(command, *path, name)


def test_every_command_is_tried() -> None:
    tried = [*ON_THE_DATABASE, *WITHOUT, *OF_OTHERS]
    differ = sorted({*tried} ^ {*all_commands()})
    assert not differ, (
        f"in only one of the commands and ON_THE_DATABASE, WITHOUT, OF_OTHERS: {differ}"
    )
    assert len(tried) == len({*tried})


def wrong(url: str, was: str, becomes: str) -> str:
    changed = url.replace(was, becomes, 1)
    assert changed != url
    return changed


AWAY = "postgresql://tonghu_app:x@127.0.0.1:1/tonghu"


def databases(place: Place) -> Mapping[str, tuple[dict[str, str], str]]:
    """Name what may be wrong with a database: the settings, and what is said of it."""

    def both(change: tuple[str, str]) -> dict[str, str]:
        return {
            "TONGHU_DATABASE__URL": wrong(place.empty.app, *change),
            "TONGHU_DATABASE__OWNER_URL": wrong(
                place.empty.owner, change[0].replace("_app", "_owner"), change[1]
            ),
        }

    path = re.search(r"/(tonghu_one_line_\d+)", place.empty.app)
    assert path
    return {
        "away": (
            {"TONGHU_DATABASE__URL": AWAY, "TONGHU_DATABASE__OWNER_URL": AWAY},
            "cannot be reached",
        ),
        "wrong password": (both((f":{schema.PASSWORD}@", ":wrong@")), "The database refuses"),
        "no such role": (both(("tonghu_app:", "nobody_here:")), "The database refuses"),
        "no such database": (both((path[1], "none_here")), "The database refuses"),
    }


@pytest.mark.parametrize("command", ON_THE_DATABASE)
def test_what_may_be_wrong_with_a_database(place: Place, command: str) -> None:
    arguments = [*command.split(), *place.given(ON_THE_DATABASE[command])]
    for name, (settings, said) in databases(place).items():
        keys = {"TONGHU_KEYS_FILE": place.keys}
        assert said in one_line(place.tonghu(*arguments, **settings, **keys), name)


@pytest.mark.parametrize("command", sorted(ON_THE_DATABASE.keys() - {"migrate", "serve", "worker"}))
def test_a_database_that_is_not_migrated(place: Place, command: str) -> None:
    """(A web process is not ready before; a worker looks again until it is.)"""
    arguments = [*command.split(), *place.given(ON_THE_DATABASE[command])]
    url = {"TONGHU_DATABASE__URL": place.empty.app, "TONGHU_KEYS_FILE": place.keys}
    assert "tonghu migrate" in one_line(place.tonghu(*arguments, **url))


@pytest.mark.parametrize("command", sorted(ON_THE_DATABASE.keys() - OF_KEYS))
def test_what_may_be_wrong_with_the_keys(place: Place, command: str) -> None:
    arguments = [*command.split(), *place.given(ON_THE_DATABASE[command])]
    (place.folder / "text.json").write_text("no keys")
    (place.folder / "other.json").write_text('{"signing": {}}')
    url = {"TONGHU_DATABASE__URL": place.empty.app}
    for file, said in (
        ("none.json", "No such file"),
        (".", "Is a directory"),
        ("text.json", "holds no keys"),
        ("other.json", "holds no keys"),
    ):
        settings = {**url, "TONGHU_KEYS_FILE": str(place.folder / file)}
        assert said in one_line(place.tonghu(*arguments, **settings), file)
    settings = {**url, "TONGHU_KEYS": "{}"}
    assert "TONGHU_KEYS holds no keys" in one_line(place.tonghu(*arguments, **settings))
    settings |= {"TONGHU_KEYS_FILE": place.keys}
    assert "are both set: leave one out" in one_line(place.tonghu(*arguments, **settings))


@pytest.mark.parametrize("command", ON_THE_DATABASE)
def test_what_may_be_wrong_with_settings(place: Place, command: str) -> None:
    arguments = [*command.split(), *place.given(ON_THE_DATABASE[command])]
    for name, value, said in (
        ("TONGHU_DATABASE__POOL_SIZE", "many", "TONGHU_DATABASE__POOL_SIZE: "),
        ("TONGHU_DATABASE__" + "POOL_SIZ", "16", "is TONGHU_DATABASE__POOL_SIZE meant?"),
        ("TONGHU_TRUSTED_PROXIES", "10.0.0.7", "No JSON"),
        ("TONGHU_ENVIRONMENT", "Production", "TONGHU_ENVIRONMENT: "),
    ):
        assert said in one_line(place.tonghu(*arguments, **{name: value}), name)


@pytest.mark.parametrize("command", sorted(ON_THE_DATABASE.keys() - {"serve"}))
def test_a_folder_that_cannot_be_written(place: Place, command: str) -> None:
    """Where the embedded database is to lie."""
    arguments = [*command.split(), *place.given(ON_THE_DATABASE[command])]
    said = one_line(place.tonghu(*arguments, TONGHU_DATA_DIR="/proc/nowhere"))
    assert "/proc/nowhere" in said


@pytest.mark.parametrize("command", WITHOUT)
def test_commands_without_a_database(place: Place, command: str) -> None:
    arguments = [*command.split(), *place.given(WITHOUT[command])]
    if command == "keys generate":
        assert "No room left" in one_line(place.tonghu(*arguments, room=0))
        assert "exists already" in one_line(place.tonghu("keys", "generate", place.keys))
        gone = ("keys", "generate", "/proc/nowhere/keys.json")
        assert "/proc/nowhere" in one_line(place.tonghu(*gone))
    elif command.startswith("keys"):
        for file, said in (("none.json", "does not exist"), ("villages.csv", "is no key file")):
            there = [each.replace("keys.json", file) for each in arguments]
            assert said in one_line(place.tonghu(*there))
    if command in {"clauses", "openapi", "keys list"}:
        assert "No room left" in one_line(place.tonghu(*arguments, output="/dev/full"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "No such command"),
        (("jobs", "nothing"), "No such command"),
        (("jobs", "release", "one"), "valid integer"),
        (("jobs", "release"), "Missing argument"),
        (("jobs", "held", "--all"), "--all"),
        (("duties", "explain", "VIS-01", "--child", "1"), "--child"),
        (("duties", "explain", "NONE", "--child", ID), "no rule NONE"),
        (("duties", "explain", "VIS-01"), "Give one of"),
        (("approvals", "show", "1", *BY), "valid UUID"),
        (("posts", "hold", "1", ID, "--since", "x", *BY), "valid UUID"),
        (("serve", "--port", "none"), "--port"),
        (("serve", "--port", "70000"), "--port"),
        (("serve", "--nothing"), "--nothing"),
        (("year", "nineteen"), "valid integer"),
        (("breach", "--since", "x", "--until", "y"), "--since"),
        (("agencies", "create", "--kind", "none"), "--kind"),
        (("regions", "import", "/nowhere.csv"), "/nowhere.csv"),
        (("retention", "run", "--kind", "none"), "no kind none"),
    ],
)
def test_what_is_called_wrongly(place: Place, arguments: tuple[str, ...], said: str) -> None:
    assert said in one_line(place.tonghu(*arguments))


def test_a_place_that_is_none(place: Place) -> None:
    add = ("regions", "add", "12", "x", "--on", "2026-01-01", "--source", "x")
    assert "6, 9 or 12 digits" in one_line(place.tonghu(*add))


def test_ports_that_are_taken(place: Place, database_urls: schema.Urls, keyring: Keyring) -> None:
    settings = {
        "TONGHU_DATABASE__URL": database_urls.app,
        "TONGHU_KEYS": keyring.to_json(),
        "TONGHU_WORKER__PORT": str(place.port),
    }
    for workers in ("1", "2"):
        ended = place.tonghu("serve", "--port", str(place.port), "--workers", workers, **settings)
        announced, *lines = ended.err.strip().splitlines()
        assert announced.startswith("Serving")
        said = one_line(ended._replace(err="\n".join(lines)))
        assert f"port {place.port}: Address already in use" in said
    said = one_line(place.tonghu("worker", **settings))
    assert f"port {place.port}" in said
    assert "TONGHU_WORKER__PORT" in said


def test_who_gives_up_at_the_password_is_told_no_more(place: Place) -> None:
    ended = place.tonghu("approvals", "list", "--by", "op.one")
    assert ended.code == 1
    assert ended.err.strip().splitlines()[-1].strip() == "Given up."


def test_a_fault_of_ours_is_a_line_too_and_quotes_nothing(place: Place) -> None:
    source = """
import sys
from app import wiring
from app.cli import main
def fault(): raise ValueError("120119200001011234")
wiring.load = fault
sys.argv = ["tonghu", "clauses"]
main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line == "A fault of the program: ValueError at __main__:5."


# --- the list of commands ------------------------------------------------------------------------


def test_the_list_of_commands_is_what_they_say_of_themselves() -> None:
    real = typer.main.get_command(commands.app)
    said = {name: each.get_short_help_str(1000) for name, each in real.commands.items()}  # type: ignore[attr-defined]
    differ = sorted(name for name, _ in said.items() ^ overview.COMMANDS.items())
    assert not differ, f"say the same of it in COMMANDS of app/cli/overview.py: {differ}"
    assert real.help == overview.HELP


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_it_is_printed_without_loading_the_program(arguments: list[str]) -> None:
    source = f"""
import sys
sys.argv = ["tonghu", *{arguments}]
from app.cli import main
try: main()
except SystemExit as ended: assert not ended.code
heavy = {{"fastapi", "sqlalchemy", "sqlmodel", "pydantic", "alembic", "asyncpg", "app.wiring"}}
print("loaded:", sorted(heavy & sys.modules.keys()))
"""
    ended = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    *said, loaded = ended.stdout.splitlines()
    assert loaded == "loaded: []"
    assert any(line.split()[:1] == ["worker"] for line in said)
