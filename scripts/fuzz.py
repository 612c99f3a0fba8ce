"""`make fuzz`: schemathesis against the running app, the civil affairs of two districts as peers.

The stage is the demo's: a database of its own, web, worker, and a part of the story, whose ids the
cases use. Police, school, education and operator try what is theirs; then every operation is tried
as Jizhou, and as whoever else may if Jizhou may not. What Jizhou or Wuqing reads is asked for again
as the other, who must not see it. The one check left out is `positive_data_acceptance`: rules no
JSON schema can say (a check digit, an alert already closed) refuse data that fits its schema.

`FUZZ_EXAMPLES` (cases per operation and phase) and `FUZZ_SEED` change how much and which; with
arguments there is one run, and they go to schemathesis: `--include-operation-id createChild`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from uuid import UUID

from app.access import operations as access
from app.agencies import operations as agencies
from app.agencies import queries
from app.agencies.models import Agency, AgencyKind
from app.core import startup
from app.core.clock import local_date, utc_now
from app.core.data.db import SYSTEM, Tx
from app.core.settings import Settings
from app.regions.divisions import demo_villages
from app.regions.rules import county_of
from demo import api
from demo.__main__ import prepare, village_of_the_story
from demo.cast import Cast
from demo.casting import TIANJIN, WUQING
from demo.loading import load
from demo.register import JIZHOU, SyntheticChild, generate
from demo.stage import HOME, Stage
from scripts.scratch import choose

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CALLERS = {
    "jizhou": ("county", "civil_affairs"),
    "wuqing": ("other_district", "civil_affairs"),
    "school": ("school_system", "school_system"),
    "education": ("education", "education_authority"),
    "police": ("police", "police"),
}
"""Name in the run → (system of the cast, role). The first two are peers."""
LOCKS_OUT = ("suspendClient", "replaceClientKeys", "resumeClient")
"""Operations by which a caller can end its own access: tried when all others are done."""
RUNS = (
    ("--auth-wfc-user=police", "--include-tag=Police reports", "--include-tag=Webhooks"),
    ("--auth-wfc-user=school", "--include-tag=Attendance", "--include-tag=Dropout alerts"),
    ("--auth-wfc-user=education", "--include-tag=Dropout alerts"),
    ("--auth-wfc-user=operator", "--include-operation-id-regex=^register(App|Client)$"),
    tuple(f"--exclude-operation-id={name}" for name in LOCKS_OUT),
    tuple(f"--include-operation-id={name}" for name in LOCKS_OUT),
)
SIGN_IN = """
[auth.wfc]
path = "{auth}"
refresh_interval = 120
peers = ["jizhou", "wuqing"]
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A system that signs in with a secret, which is what schemathesis can do by itself."""

    name: str
    client_id: UUID
    secret: str

    def described(self) -> dict[str, object]:
        """Describe the sign-in as Web Fuzzing Commons has it."""
        form = {
            "grant_type": "client_credentials",
            "client_id": str(self.client_id),
            "client_secret": self.secret,
        }
        return {
            "name": self.name,
            "loginEndpointAuth": {
                "endpoint": "/oauth/token",
                "verb": "POST",
                "contentType": "application/x-www-form-urlencoded",
                "payloadRaw": urlencode(form),
                "token": {
                    "extractFrom": "body",
                    "extractSelector": "/access_token",
                    "sendIn": "header",
                    "sendName": "Authorization",
                    "sendTemplate": "Bearer {token}",
                },
            },
        }


async def register_callers(settings: Settings, cast: Cast) -> list[Login]:
    """Give every caller a system with a secret."""
    async with (
        startup.reachable_database(settings) as addresses,
        startup.open_database(settings, utc_now, addresses=addresses) as database,
        database.begin(SYSTEM) as tx,
    ):
        logins = []
        for name, (label, role) in CALLERS.items():
            agency = await queries.find(tx, UUID(cast.machines[label].agency_id))
            if agency is None:
                raise LookupError(label)
            logins.append(await _login(tx, name, agency, role))
        operator = await agencies.create_agency(tx, AgencyKind.operator, "平台运维", TIANJIN)
        return [*logins, await _login(tx, "operator", operator, "operator")]


async def _login(tx: Tx, name: str, agency: Agency, role: str) -> Login:
    made = await access.create_machine(
        tx,
        agency,
        name=f"fuzz {name}",
        role=role,
        region_code=agency.region_code,
        jwks=None,
        secrets_allowed=True,
    )
    return Login(name, made.client.id, made.secret or "")


def some_of(children: tuple[SyntheticChild, ...], village: int) -> list[SyntheticChild]:
    """Choose the children of the story's village, and fifteen more of each peer's district."""
    chosen = [child for child in children if child.village == village]
    for county in (JIZHOU, WUQING):
        others = (one for one in children if county_of(one.village) == county)
        chosen += [one for one in others if one.village != village][:15]
    return chosen


def set_stage(stage: Stage) -> list[Login]:
    """Start everything and play the story up to where most is open."""
    children = generate(list(demo_villages()), as_of=local_date(utc_now()))
    village = village_of_the_story(children)
    stage.prepare()
    os.environ.update(stage.environment)
    settings = Settings()
    cast = asyncio.run(prepare(settings, village))
    cast.write(stage.data_dir)
    logins = asyncio.run(register_callers(settings, cast))
    stage.start("web", "-m", "app.cli", "serve", "--port", str(stage.port))
    stage.start("worker", "-m", "app.cli", "worker")
    stage.wait_until_ready()
    load(stage.base, stage.data_dir, some_of(children, village), village=village)
    subscribe(stage)
    stage.run("demo.school", "push")
    stage.run("demo.school", "persuade")
    stage.run("demo.phone", "visit")
    stage.run("demo.phone", "report")
    return logins


def subscribe(stage: Stage) -> None:
    """Have what the county and the police are told sent to where nobody takes it."""
    for label, told in (("county", "visits.*"), ("police", "police_reports.*")):
        system = api.machine(stage.base, stage.data_dir, label, "protection")
        new = {"url": f"{stage.base}/nobody", "description": "fuzz", "event_types": [told]}
        system.call("POST", "/v1/webhook-endpoints", new)


def known_ids(stage: Stage) -> dict[str, list[str]]:
    """Collect what there is to find, by the name of the parameter that names it."""
    county, wuqing, police, school = (
        api.machine(stage.base, stage.data_dir, label, purpose)
        for label, purpose in (
            ("county", "protection"),
            ("other_district", "protection"),
            ("police", "protection"),
            ("school_system", "education"),
        )
    )
    batch = school.call("POST", "/v1/attendance-events", {"events": [{"source": "fuzz"}]})
    lists = {
        "child_id": ((county, "children"), (wuqing, "children")),
        "visit_id": ((county, "visits"),),
        "alert_id": ((county, "dropout-alerts"),),
        "report_id": ((county, "police-reports"),),
        "endpoint_id": ((county, "webhook-endpoints"), (police, "webhook-endpoints")),
        "delivery_id": ((county, "webhook-deliveries"), (police, "webhook-deliveries")),
        "agency_id": ((county, "agencies"),),
        "post_id": ((county, "posts"),),
    }
    found = {
        name: [one["id"] for caller, path in places for one in caller.items(f"/v1/{path}")][:40]
        for name, places in lists.items()
    }
    found["batch_id"] = [batch.json()["batch_id"]]
    return {name: ids for name, ids in found.items() if ids}


def described(ids: dict[str, list[str]]) -> str:
    """Write the ids as schemathesis reads them; a third of the cases make up their own."""
    lines = [
        *(f"[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in ids.items()),
        "[dictionaries.region_code]",
        f'values = ["{JIZHOU}", "{WUQING}"]',
        "[dictionaries.version]",
        f"values = {json.dumps([json.dumps(str(number)) for number in range(1, 10)])}",
    ]
    bound = {f"{place}.{name}": name for name in ids for place in ("path", "query", "body")}
    bound |= {
        "body.region_code": "region_code",
        "body.residence.region_code": "region_code",
        "header.If-Match": "version",
    }
    for parameter, dictionary in bound.items():
        lines += [
            f'[parameters."{parameter}"]',
            f'dictionary = "{dictionary}"',
            "probability = 0.7",
        ]
    return "\n".join(lines)


def fuzz(stage: Stage, config: Path, *selection: str) -> bool:
    """Run schemathesis on some of the operations; returns whether it found nothing."""
    command = [SCHEMATHESIS, "--config-file", str(config), "run", f"{stage.base}/openapi.json"]
    options = {
        "--checks": "all",
        "--exclude-checks": "positive_data_acceptance",
        "--max-examples": os.environ.get("FUZZ_EXAMPLES", "40"),
        "--seed": os.environ.get("FUZZ_SEED", "20261120"),
        "--workers": "1",  # its generators are not made for threads
        "--request-timeout": "20",
        "--warnings": os.environ.get("FUZZ_WARNINGS", "off"),
        "--generation-database": "none",
    }
    given = [part for option in options.items() for part in option]
    return subprocess.run([*command, *given, *selection], cwd=HOME, check=False).returncode == 0


def main() -> int:
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    os.environ["TONGHU_RATE_LIMIT__BURST"] = "1000000"
    with TemporaryDirectory(prefix="tonghu-fuzz-", dir=choose().folder) as place:
        stage = Stage(Path(place) / "data")
        auth, config = Path(place) / "auth.json", Path(place) / "schemathesis.toml"
        try:
            logins = set_stage(stage)
            checks = (HOME / "schemathesis.toml").read_text()
            ids = described(known_ids(stage))
            config.write_text("\n".join([checks, SIGN_IN.format(auth=auth), ids]))
            auth.write_text(json.dumps({"auth": [login.described() for login in logins]}))
            if sys.argv[1:]:
                return 0 if fuzz(stage, config, *sys.argv[1:]) else 1
            clean = [fuzz(stage, config, *run) for run in RUNS]
            return 0 if all(clean) else 1
        except KeyboardInterrupt:
            return 1
        finally:
            stage.stop()


if __name__ == "__main__":
    sys.exit(main())
