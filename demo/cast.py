"""Who plays: systems and staff made for the demo only, as the actors' processes read them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

CALLBACK = "http://127.0.0.1:8099/callback"
STUDENT_NUMBERS = "student_status"
"""The system whose pupils' numbers the register and the school's gate share."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A system and its private key (PEM)."""

    client_id: str
    agency_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff who signs in through the demo app."""

    username: str
    password: str
    agency_id: str
    region_code: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, as the actors' processes read it from the data folder."""

    app_client_id: str
    machines: dict[str, Machine]
    people: dict[str, Person]

    @classmethod
    def read(cls, data_dir: Path) -> "Cast":
        raw = json.loads((data_dir / "cast.json").read_text())
        return cls(
            raw["app_client_id"],
            {name: Machine(**one) for name, one in raw["machines"].items()},
            {name: Person(**one) for name, one in raw["people"].items()},
        )

    def write(self, data_dir: Path) -> None:
        path = data_dir / "cast.json"
        path.touch(0o600)
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1))
