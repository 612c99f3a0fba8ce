"""Register everybody who plays: agencies of real districts, with their systems and staff."""

import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk

from app.access import operations as access
from app.agencies import operations as agencies
from app.agencies.models import Agency, AgencyKind
from app.core.data.db import Tx
from app.regions.divisions import demo_villages, replaced, shipped
from app.regions.operations import import_divisions, import_replaced
from demo.cast import CALLBACK, Cast, Machine, Person
from demo.register import JIZHOU

TIANJIN = 120000000000
WUQING = 120114000000


async def assemble(tx: Tx, *, village: int) -> Cast:
    """Load the divisions and register everybody. `village`: where the story plays, in Jizhou.

    A stage is set, by nobody's authority: police, education and supervision, their systems and
    people are entered here at one go. In a service two operators do that, each time (ADR 53).
    """
    await import_divisions(tx.connection, shipped())
    await import_divisions(tx.connection, demo_villages())
    await import_replaced(tx.connection, replaced())
    township = village // 1000 * 1000
    app = await access.create_app(
        tx, name="演示走访应用 Demo visiting app", redirect_uris=[CALLBACK]
    )
    machines: dict[str, Machine] = {}
    people: dict[str, Person] = {}

    async def agency(kind: AgencyKind, name: str, region_code: int) -> Agency:
        return await agencies.create_agency(tx, kind, name, region_code)

    async def machine(label: str, owner: Agency, role: str) -> None:
        machines[label] = await _machine(tx, owner, role)

    async def person(label: str, owner: Agency, role: str, region_code: int) -> None:
        people[label] = await _person(tx, owner, label, role, region_code)

    city = await agency(AgencyKind.civil_affairs, "天津市民政局", TIANJIN)
    await machine("city", city, "civil_affairs")
    county = await agency(AgencyKind.civil_affairs, "蓟州区民政局", JIZHOU)
    await machine("county", county, "civil_affairs")
    await person("county_officer", county, "civil_affairs", JIZHOU)
    school = await agency(AgencyKind.school, "演示小学 Demo primary school", township)
    await machine("school_system", school, "school_system")
    await person("teacher", school, "school", township)
    committee = await agency(AgencyKind.village_committee, "演示村委会 Demo committee", village)
    await person("village_director", committee, "village_director", village)
    government = await agency(
        AgencyKind.township_government, "演示乡镇政府 Demo township", township
    )
    await person("township_supervisor", government, "township_supervisor", township)
    bureau = await agency(AgencyKind.education, "蓟州区教育局", JIZHOU)
    await machine("education", bureau, "education_authority")
    police = await agency(AgencyKind.police, "公安蓟州分局", JIZHOU)
    await machine("police", police, "police")
    stranger = await agency(AgencyKind.civil_affairs, "武清区民政局", WUQING)
    await machine("other_district", stranger, "civil_affairs")
    auditors = await agency(AgencyKind.supervision, "天津市监督检查组", TIANJIN)
    await person("auditor", auditors, "auditor", TIANJIN)
    return Cast(str(app.id), machines, people)


async def _machine(tx: Tx, owner: Agency, role: str) -> Machine:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public: dict[str, Any] = jwk.construct(pem, "ES256").public_key().to_dict()
    registered = await access.create_machine(
        tx,
        owner,
        name=f"demo {role}",
        role=role,
        region_code=owner.region_code,
        jwks={"keys": [{**public, "kid": "demo", "use": "sig", "alg": "ES256"}]},
        secrets_allowed=False,
    )
    return Machine(str(registered.client.id), str(owner.id), pem)


async def _person(tx: Tx, owner: Agency, label: str, role: str, region_code: int) -> Person:
    password = secrets.token_urlsafe(12)
    await access.create_staff(
        tx,
        owner,
        name=f"演示 {label}",
        username=f"demo.{label}",
        password=password,
        role=role,
        region_code=region_code,
    )
    return Person(f"demo.{label}", password, str(owner.id), f"{region_code:012d}")
