"""Every operator command once, in this process, on a database of its own: what it says."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import typer

from app.cli.console import Session, in_session, in_transaction
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Tx
from app.core.ids import new_id
from app.core.jobs import queue
from app.embedded import postgres
from app.policy import clauses
from app.sealing.notes import LOG, WITNESS, VerifierKey
from tests import schema
from tests.access.apps import a_key, an_authenticator
from tests.faults.command import Tonghu

HEADER = "code,name,streetCode,provinceCode,cityCode,areaCode"
VILLAGE = "120119101901,测试村委会,120119101,12,1201,120119"
BAD = "120119101902,测试村委会,120119102,12,1201,120119"
TOWNSHIP = "120119101000"


@pytest.fixture(scope="module")
def urls(pg: str) -> Iterator[schema.Urls]:
    """A database without tables."""
    name = f"tonghu_cli_{os.getpid()}"
    postgres.bootstrap(pg, name, schema.PASSWORD, schema.PASSWORD)
    yield schema.urls_of(pg, name)
    asyncio.run(schema.drop(pg, name))


def villages(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "villages.csv"
    file.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return file


REASON = "合成记录:来函办理,已核对。"
AGENCY = ("agencies", "create", "--kind", "township_government", "--name", "测试乡镇")
INIT = ("init", "--first", "甲", "op.one", "--second", "乙", "op.two")
_OPERATOR = "SELECT staff_id FROM staff_accounts WHERE username = $1"
SECRETS: dict[str, str] = {}
"""Shown once, to the first test that names the operators."""


def by(username: str, password: str) -> tuple[str, ...]:
    return ("--by", username, "--password", password)


def founded(tonghu: Tonghu) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the operators, unless a test before did; how each gives a command."""
    if not SECRETS:
        twice = (*INIT[:-1], "OP.ONE")
        assert "username is taken" in tonghu(*twice)[2]
        code, said, _ = tonghu(*INIT)
        assert code == 0
        named = json.loads(said)["operators"]
        SECRETS.update({each["username"]: each["password"] for each in named})
        assert len(set(SECRETS.values())) == 2
    return by("op.one", SECRETS["op.one"]), by("op.two", SECRETS["op.two"])


def by_two(tonghu: Tonghu, one: tuple[str, ...], two: tuple[str, ...], *command: object) -> dict:
    """Give a command that takes two people."""
    approval = printed(tonghu, *command, "--reason", REASON, *one)["approval_id"]
    decide = ("approvals", "decide", approval, "--verdict", "approved", "--reason", REASON)
    code, _, errors = tonghu(*decide, *two)
    assert code == 0, errors
    return printed(tonghu, *command, "--approval", approval, *one)


def printed(tonghu: Tonghu, *command: object) -> dict:
    """Read what a command prints; who sees it fail sees what it said."""
    code, said, errors = tonghu(*command)
    assert code == 0, errors
    made: dict = json.loads(said)
    return made


async def a_held_job(urls: schema.Urls) -> None:
    connection = await asyncpg.connect(urls.owner)
    await connection.execute(
        "INSERT INTO jobs (name, payload, status, failure)"
        " VALUES ('duties.escalate', '{}', 'held', 'KeyError')"
    )
    await connection.close()


async def begun(urls: schema.Urls) -> None:
    """As a worker notes them when it begins."""
    connection = await asyncpg.connect(urls.app)
    await connection.executemany(
        "INSERT INTO job_schedules (name, cron, next_at) VALUES ($1, $2, '2026-01-01T16:30Z')",
        [(each.name, each.cron) for each in queue.REGISTRY.values() if each.cron],
    )
    await connection.close()


def test_before_it_is_migrated_each_command_says_so_in_a_line(
    pg: str, tonghu: Tonghu, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"tonghu_early_{os.getpid()}"
    postgres.bootstrap(pg, name, schema.PASSWORD, schema.PASSWORD)
    monkeypatch.setenv("TONGHU_DATABASE__URL", schema.urls_of(pg, name).app)
    for command_ in (("retention",), ("jobs", "schedules"), ("regions", "load")):
        code, _, errors = tonghu(*command_)
        assert (code, len(errors.splitlines())) == (1, 1), errors
        assert "run `tonghu migrate`" in errors
    asyncio.run(schema.drop(pg, name))


def test_from_an_empty_database_to_places(tonghu: Tonghu, tmp_path) -> None:
    for _ in range(2):  # again is harmless
        code, said, _ = tonghu("migrate")
        assert (code, said.startswith("The database is at revision")) == (0, True)
    assert "added" in tonghu("regions", "load")[1]
    assert ", 0 added" in tonghu("regions", "load")[1]

    code, _, errors = tonghu("regions", "import", villages(tmp_path, VILLAGE, BAD))
    assert code == 1
    assert "line 3: streetCode does not begin the code 120119101902" in errors
    assert "Nothing was imported." in errors
    code, said, _ = tonghu("regions", "import", villages(tmp_path, VILLAGE))
    assert (code, said.strip()) == (0, "1 villages read, 1 added, 0 renamed.")

    replace = ("regions", "replace", "120119101901", "120119101909", "--on")
    assert "still to come" in tonghu(*replace, "2099-01-01")[2]
    assert "12 digits" in tonghu("regions", "replace", "12011", "120120", "--on", "2026-01-01")[2]
    code, said, _ = tonghu(*replace, "2026-01-01", "--name", "新测试村委会")
    assert (code, said.startswith("1 codes were replaced")) == (0, True)
    assert "not in force" in tonghu(*replace, "2026-01-02")[2]

    add = ("regions", "add", "653228", "和康县", "--on", "2024-12-27", "--source", "测试文件")
    assert "Tried, and taken back" in tonghu(*add, "--dry-run")[1]
    assert tonghu(*add)[0] == 0
    assert "the code is in force" in tonghu(*add)[2]
    ended = ("regions", "replace", "533001")
    code, said, _ = tonghu(*ended, "530502", "--on", "2000-12-30")
    assert (code, said.startswith("1 codes were replaced")) == (0, True)
    assert "has a successor: 530502" in tonghu(*ended, "530521", "--on", "2000-12-30")[2]
    assert tonghu("jobs", "held")[:2] == (0, "No job is held.\n")


def test_from_two_operators_to_people_with_posts(tonghu: Tonghu) -> None:
    tonghu("migrate")
    tonghu("regions", "load")
    code, _, errors = tonghu(*AGENCY, "--region", TOWNSHIP, *by("one", "nothing"))
    assert (code, "`tonghu init` names the first" in errors) == (1, True)
    one, two = founded(tonghu)
    assert "Operators were named before" in tonghu(*INIT)[2]

    agency = printed(tonghu, *AGENCY, "--region", TOWNSHIP, *one)["agency_id"]
    for region in (TOWNSHIP, "120225101000", "120119101"):  # its code until 2015; without zeros
        _, said, told = tonghu(*AGENCY, "--region", region, *one)
        assert (json.loads(said)["agency_id"], "before" in told) == (agency, True)
    for region in ("999999999999", "12011", "abc"):
        code, said, errors = tonghu(*AGENCY, "--region", region, *one)
        assert (code, said, len(errors.splitlines())) == (1, "", 1)

    school = ("agencies", "create", "--kind", "school", "--name", "测试小学")
    school_id = printed(tonghu, *school, "--region", TOWNSHIP, *one)["agency_id"]
    client = ("clients", "create", "--name", "测试考勤", "--role", "school_system")
    of_school = ("--agency", school_id, "--region", TOWNSHIP)
    code, _, errors = tonghu(*client, *of_school, *one)
    assert (code, "say why with --reason" in errors) == (1, True)
    system = by_two(tonghu, one, two, *client, *of_school)
    assert system["client_id"]
    assert system["client_secret"]
    code, _, errors = tonghu(*client, "--agency", agency, "--region", TOWNSHIP, *one)
    assert (code, len(errors.splitlines())) == (1, 1)
    assert "school_system is for school, not for township_government" in errors
    misspelt = ("--role", "shool", "--agency", agency, "--region", TOWNSHIP)
    _, _, errors = tonghu(*client, *misspelt, *one)
    assert "There is no such role. There are: village_director, " in errors

    staff = ("staff", "create", "--name", "测试员", "--agency", agency)
    first = (*staff, "--username", "test.one")
    entered = by_two(tonghu, one, two, *first)
    person = entered["staff_id"]
    assert re.fullmatch(r"([a-z0-9]{4}-){3}[a-z0-9]{4}", entered["code"])
    code, said, errors = tonghu(*first, *one, "--reason", REASON)
    assert (code, said, "taken" in errors) == (1, "", True)
    nowhere = (*staff[:-1], uuid4(), *first[6:])
    assert "do not look after the people" in tonghu(*nowhere, *one)[2]
    other = by_two(tonghu, one, two, *staff, "--username", "test.two")["staff_id"]
    assert "count as one person" in tonghu("staff", "same", person, other, *one)[1]
    assert "not two entries" in tonghu("staff", "same", person, uuid4(), *one)[2]
    post = ("posts", "add", "--agency", agency, "--role", "township_supervisor")
    place = ("--region", TOWNSHIP, "--title", "督导员")
    post_id = printed(tonghu, *post, *place, *one)["post_id"]
    held = tonghu("posts", "hold", post_id, person, "--since", "2026-01-01", *one)
    assert "holding_id" in held[1]


def test_a_list_that_is_no_json_is_refused_in_a_line(
    tonghu: Tonghu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONGHU_TRUSTED_PROXIES", "10.0.0.7")
    code, _, errors = tonghu("jobs", "held")
    assert (code, len(errors.splitlines())) == (1, 1)
    assert "trusted_proxies" in errors
    assert """'["10.0.0.7/32"]'""" in errors


def test_jobs_that_are_held_and_why_something_is_owed(tonghu: Tonghu, urls: schema.Urls) -> None:
    tonghu("migrate")
    assert "`tonghu worker` notes them" in tonghu("jobs", "schedules")[1]
    asyncio.run(begun(urls))
    said = tonghu("jobs", "schedules")[1]
    for each in queue.REGISTRY.values():
        assert each.cron is None or f"{each.name} " in said, "each by its whole name"
    assert ("2026-01-02" in said, "00:30" in said) == (True, True), "times are of China"
    assert "Files derived by these rules: 0, all of 0 of 0 counties; true of no day yet." in said
    asyncio.run(a_held_job(urls))
    code, said, _ = tonghu("jobs", "held")
    assert (code, "duties.escalate" in said, "KeyError" in said) == (0, True, True)
    number = re.search(r"\d+", said)[0]
    assert [tonghu("jobs", "release", number)[1] for _ in range(2)] == [
        "1 released.\n",
        "0 released.\n",
    ]

    explain = ("duties", "explain")
    assert "No such child." in tonghu(*explain, "VIS-01", "--child", uuid4())[1]
    assert "There is no rule VIS-99." in tonghu(*explain, "VIS-99", "--child", uuid4())[2]
    both = ("--child", uuid4(), "--subject", uuid4())
    for about in ((), both):
        assert "one of --child and --subject" in tonghu(*explain, "VIS-01", *about)[2]


def test_what_is_old_is_shown_and_let_go_of(tonghu: Tonghu, urls: schema.Urls) -> None:
    tonghu("migrate")
    asyncio.run(old_answers(urls))
    code, said, _ = tonghu("retention")
    assert code == 0
    assert re.search(r"idempotency_keys +30 +0 +2026-01-01 +3 +0 ", said), said
    assert "There is room for 3 months ahead." in said
    assert "idempotency_keys, 30 days: 个人信息保护法" in said
    assert "  stays, however old: a report of a child it names is open\n" in said
    assert (
        "There is no kind audit_entries" in tonghu("retention", "run", "--kind", "audit_entries")[2]
    )
    assert tonghu("retention", "run", "--kind", "events")[1] == "events: 0 deleted\n"
    assert "idempotency_keys: 3 deleted\n" in tonghu("retention", "run")[1]
    assert "idempotency_keys: 0 deleted\n" in tonghu("retention", "run")[1]


async def old_answers(urls: schema.Urls) -> None:
    connection = await asyncpg.connect(urls.app)
    await connection.execute(
        "SELECT set_config('tonghu.caller', 'system', false);"
        " INSERT INTO idempotency_keys (caller, operation, key, body_sha256, created_at)"
        " SELECT 'test', 'test', n::text, '', '2026-01-01T12:00:00Z' FROM generate_series(1, 3) n"
    )
    await connection.close()


def test_whom_to_tell_of_a_breach_and_the_figures_of_a_year(
    tonghu: Tonghu, urls: schema.Urls
) -> None:
    tonghu("migrate")
    child = asyncio.run(a_look(urls))
    days = ("--since", "2026-11-01", "--until", "2026-11-02T12:30")
    _, said, errors = tonghu("breach", *days)
    assert said.splitlines() == [
        "child_id,region_code,office_id,office,looks,first,last,operations",
        f"{child},,,,1,2026-11-02T04:00:00+00:00,2026-11-02T04:00:00+00:00,readChild",
    ]
    assert "1 children; 0 offices" in errors
    assert "of 1 of them no office tells" in errors
    assert "see yourself whom to tell: readReport 1" in errors
    _, said, errors = tonghu("breach", *days, "--operation", "listChildern")
    assert (len(said.splitlines()), "before you tell nobody" in errors) == (1, True)
    assert "--actor is staff:ID" in tonghu("breach", *days, "--actor", "op.one")[2]
    assert "after --since" in tonghu("breach", "--since", "2026-11-02", "--until", "2026-11-02")[2]
    figures = printed(tonghu, "year", "2026")
    assert figures["files"] == {"under_14": 0, "under_18": 0, "all": 0}
    assert (figures["looks"]["partly"], figures["looks"]["allowed"]) == (0, 1)


async def a_look(urls: schema.Urls) -> str:
    connection, child = await asyncpg.connect(urls.app), uuid4()
    await connection.execute("SELECT set_config('tonghu.caller', 'system', false)")
    look = """INSERT INTO audit_entries (id, at, actor, role, operation, child_ids, decision,
        request_id, purpose, subject_id)
        VALUES ($1, '2026-11-02T04:00:00Z', 'test', '-', $2, $3, 'allowed', '-', 'care', $4)"""
    await connection.execute(look, new_id(), "readChild", [child], child)
    await connection.execute(look, new_id(), "readReport", [], uuid4())
    await connection.close()
    return str(child)


def test_who_registers_a_client_says_for_whom(tonghu: Tonghu) -> None:
    tonghu("migrate")
    tonghu("regions", "load")
    one, two = founded(tonghu)
    app = ("clients", "create", "--name", "测试应用")
    made = by_two(tonghu, one, two, *app, "--redirect-uri", "https://app.example/")
    assert made["client_id"]
    assert "an app needs --redirect-uri" in tonghu(*app, "--agency", uuid4(), *one)[2]
    nobodys = ("--role", "school_system", "--agency", uuid4(), "--region", TOWNSHIP)
    assert "may not register a client" in tonghu(*app, *nobodys, *one)[2]


def test_power_from_the_command_line_is_used_by_two(tonghu: Tonghu, tmp_path) -> None:
    tonghu("migrate")
    tonghu("regions", "load")
    one, two = founded(tonghu)
    police = ("agencies", "create", "--kind", "police", "--region", TOWNSHIP)
    police = (*police, "--name", f"测试派出所 {uuid4()}")
    assert "There is none." in tonghu("approvals", "list", "--state", "expired", *two)[1]
    assert ": reason: " in tonghu(*police, "--reason", "short", *one)[2]
    code, said, told = tonghu(*police, "--uscc", "91110000600037341L", "--reason", REASON, *one)
    approval = json.loads(said)["approval_id"]
    assert (code, f"tonghu approvals decide {approval}" in told) == (0, True)
    assert re.search(f"{approval} .*createAgency", tonghu("approvals", "list", *two)[1])
    shown = printed(tonghu, "approvals", "show", approval, *two)
    assert (shown["body"]["kind"], shown["reason"]) == ("police", REASON)
    decide = ("approvals", "decide", approval, "--verdict", "approved", "--reason", REASON)
    assert "Another person" in tonghu(*decide, *one)[2]
    assert tonghu(*decide, *two)[1] == "It is approved.\n"
    used = (*police, "--uscc", "91110000600037341L", "--approval", approval)
    assert "does not let this request through" in tonghu(*used[:-4], *used[-2:], *one)[2]
    assert printed(tonghu, *used, *one)["agency_id"]
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [a_key()[1]]}))
    system = ("clients", "create", "--name", "接警系统", "--role", "police", "--jwks", keys)
    agency = printed(tonghu, *used, *one)["agency_id"]
    made = by_two(tonghu, one, two, *system, "--agency", agency, "--region", TOWNSHIP)
    assert (made["client_secret"], "client_id" in made) == (None, True)
    keys.write_text("no keys")
    refused = tonghu(*system, "--agency", agency, "--region", TOWNSHIP, *one)
    assert (refused[0], f"{keys} is no JSON: " in refused[2]) == (1, True)
    key = str(VerifierKey("witness.example", WITNESS, bytes(32)))
    made = by_two(tonghu, one, two, "audit", "witness", key, "--agency", agency)
    assert json.loads(tonghu("audit", "witnesses", *two)[1])["items"] == [made]
    log = str(VerifierKey("tonghu.example/2", LOG, bytes(32)))
    refused = tonghu("audit", "start-log", log, "--reason", REASON, *one)
    assert (refused[0], "Nothing was signed yet" in refused[2]) == (1, True)
    lost = tonghu(*AGENCY[:-1], "别的乡镇", "--region", TOWNSHIP, *by("op.one", "wrong password"))
    assert (lost[0], "No operator signs in" in lost[2]) == (1, True)


def test_a_setting_that_is_none_is_told_by_its_name(tonghu: Tonghu, monkeypatch) -> None:
    monkeypatch.setenv("TONGHU_TOKENS__STAFF_SECONDS", "3600")
    code, said, errors = tonghu("jobs", "held")
    assert (code, said) == (1, "")
    assert errors.startswith("TONGHU_TOKENS__STAFF_SECONDS: Input should be less than or equal")


def test_commands_without_a_database(tonghu: Tonghu, tmp_path, document) -> None:
    keys = tmp_path / "keys.json"
    assert tonghu("keys", "generate", keys)[0] == 0
    assert keys.stat().st_mode & 0o777 == 0o600
    written = keys.read_text()
    assert Keyring.from_json(written)
    code, _, errors = tonghu("keys", "generate", keys)
    assert (code, keys.read_text()) == (1, written)
    assert "never overwritten" in errors
    said = tonghu("clauses")[1]
    assert all(word in said for word in ("carried", "partly", "not yet", "all 238"))
    missing = [each for each in clauses.load() if each.partly]
    assert all(f"{each.id}  {each.partly}\n" in said for each in missing)
    assert printed(tonghu, "openapi") == document


def test_an_operator_with_a_second_factor_is_asked_for_it(
    tonghu: Tonghu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a command would be the way around it."""
    tonghu("migrate")
    tonghu("regions", "load")
    one, _ = founded(tonghu)

    async def theirs(session: Session) -> str:
        async with session.database.begin(SYSTEM) as tx:
            staff_id = await tx.connection.fetchval(_OPERATOR, "op.one")
        factor = await an_authenticator(session.database, staff_id)
        return factor.code(session.database.clock())

    async def lost(tx: Tx) -> None:
        await tx.connection.execute("UPDATE staff_accounts SET totp_sealed = NULL")

    right = in_session(theirs)
    for code, status in (("000000", 1), (right, 0), (right, 1)):
        monkeypatch.setattr(typer, "prompt", lambda *_, code=code, **__: code)
        done, _, errors = tonghu("approvals", "list", *one)
        assert (done, "wrong, or was used already" in errors) == (status, bool(status)), errors
    in_transaction(lost)
