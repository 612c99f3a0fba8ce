"""Every operator command once, on a database of its own: what it prints, and what it refuses.

They run in this process; `test_start.py` runs the installed script.
"""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from app.core.data.crypto import Keyring
from app.core.ids import new_id
from app.embedded import postgres
from app.policy import clauses
from tests import schema
from tests.faults import command
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


@pytest.fixture
def tonghu(
    urls: schema.Urls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Tonghu:
    """Run `tonghu ARGUMENTS`; returns exit code, output and errors."""
    return command.here(
        monkeypatch,
        capsys,
        TONGHU_DATABASE__URL=urls.app,
        TONGHU_DATABASE__OWNER_URL=urls.owner,
        TONGHU_DATA_DIR=str(tmp_path),
    )


def villages(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "villages.csv"
    file.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return file


async def a_held_job(urls: schema.Urls) -> None:
    connection = await asyncpg.connect(urls.owner)
    await connection.execute(
        "INSERT INTO jobs (name, payload, status, failure)"
        " VALUES ('duties.escalate', '{}', 'held', 'KeyError')"
    )
    await connection.close()


def test_from_an_empty_database_to_people_who_can_sign_in(tonghu: Tonghu, tmp_path) -> None:
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

    made = ("agencies", "create", "--kind", "township_government", "--name", "测试乡镇")
    agency = json.loads(tonghu(*made, "--region", TOWNSHIP)[1])["agency_id"]
    for region in (TOWNSHIP, "120225101000", "120119101"):  # its code until 2015; without zeros
        _, said, told = tonghu(*made, "--region", region)
        assert (json.loads(said)["agency_id"], "before" in told) == (agency, True)
    for region in ("999999999999", "12011", "abc"):
        code, said, errors = tonghu(*made, "--region", region)
        assert (code, said, len(errors.splitlines())) == (1, "", 1)

    school = ("agencies", "create", "--kind", "school", "--name", "测试小学")
    school_id = json.loads(tonghu(*school, "--region", TOWNSHIP)[1])["agency_id"]
    client = ("clients", "create", "--name", "测试考勤", "--role", "school_system")
    system = json.loads(tonghu(*client, "--agency", school_id, "--region", TOWNSHIP)[1])
    assert system["client_id"]
    assert system["client_secret"]
    code, _, errors = tonghu(*client, "--agency", agency, "--region", TOWNSHIP)
    assert (code, len(errors.splitlines())) == (1, 1)
    assert "school_system is for school, not for township_government" in errors
    _, _, errors = tonghu(*client, "--role", "shool", "--agency", agency, "--region", TOWNSHIP)
    assert "no role is called shool; did you mean school?" in errors

    staff = ("staff", "create", "--name", "测试员", "--username", "test.one")
    post = ("--role", "township_supervisor", "--region", TOWNSHIP, "--agency", agency)
    code, said, _ = tonghu(*staff, *post, "--password", "correct horse battery")
    assert code == 0
    assert "staff_id" in said
    code, said, errors = tonghu(*staff, *post, "--password", "correct horse battery")
    assert (code, said) == (1, "")
    assert "Traceback" not in errors

    assert tonghu("jobs", "held")[:2] == (0, "No job is held.\n")


def test_jobs_that_are_held_and_why_something_is_owed(tonghu: Tonghu, urls: schema.Urls) -> None:
    tonghu("migrate")
    said = tonghu("jobs", "schedules")[1]
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
    code, said, errors = tonghu("breach", *days)
    assert code == 0
    assert said.splitlines() == [
        "child_id,region_code,office_id,office,looks,first,last,operations",
        f"{child},,,,1,2026-11-02T04:00:00+00:00,2026-11-02T04:00:00+00:00,readChild",
    ]
    assert "1 children; 1 offices" in errors
    assert len(tonghu("breach", *days, "--operation", "listChildren")[1].splitlines()) == 1
    assert "after --since" in tonghu("breach", "--since", "2026-11-02", "--until", "2026-11-02")[2]
    figures = json.loads(tonghu("year", "2026")[1])
    assert figures["files"] == {"under_14": 0, "under_18": 0, "all": 0}
    assert figures["looks"] == {"denied": 0, "partly": 0, "allowed": 1}


async def a_look(urls: schema.Urls) -> str:
    connection, child = await asyncpg.connect(urls.app), uuid4()
    await connection.execute("SELECT set_config('tonghu.caller', 'system', false)")
    await connection.execute(
        "INSERT INTO audit_entries (id, at, actor, role, operation, child_ids, decision,"
        " request_id) VALUES ($1, '2026-11-02T04:00:00Z', 'test', '-', 'readChild', $2, 'allowed',"
        " '-')",
        new_id(),
        [child],
    )
    await connection.close()
    return str(child)


def test_who_registers_a_client_says_for_whom(tonghu: Tonghu) -> None:
    tonghu("migrate")
    tonghu("regions", "load")
    app = ("clients", "create", "--name", "测试应用")
    assert json.loads(tonghu(*app, "--redirect-uri", "https://app.example/")[1])["client_id"]
    assert "an app needs --redirect-uri" in tonghu(*app, "--agency", uuid4())[2]
    assert (
        "no such agency"
        in tonghu(*app, "--role", "school_system", "--agency", uuid4(), "--region", TOWNSHIP)[2]
    )


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
    assert json.loads(tonghu("openapi")[1]) == document
