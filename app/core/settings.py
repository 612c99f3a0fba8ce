"""Settings, read once where a process is put together and passed down (never at import)."""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, Self, TypeVar

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_ORIGIN: Final = re.compile(r"https://[a-z0-9.-]+(:\d+)?")
_WIDEST: Final = {4: 8, 6: 7}
"""The shortest prefix of a network that may be trusted: 10.0.0.0/8 and fc00::/7 are somebody's."""
_OWN: Final = tuple(
    map(ip_network, ("127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "::1/128", "fe80::/10"))
)
WORKER_PORT: Final = 8010
_FASTEST: Final = 10_000
_MOST_AT_ONCE: Final = 100_000


class Environment(StrEnum):
    """Where the process runs; anything but production may use conveniences."""

    production = "production"
    sandbox = "sandbox"
    development = "development"
    test = "test"


class Database(BaseModel):
    """How to reach PostgreSQL 15–18. Without `url` the embedded server is used."""

    url: SecretStr | None = None
    """DSN of the app role: not the owner of the tables, not superuser, not BYPASSRLS."""
    owner_url: SecretStr | None = None
    """DSN of the owner role, for migrations only."""
    backup_url: SecretStr | None = None
    """DSN of the role that sees every row and changes none, for backups only."""
    sealer_url: SecretStr | None = None
    """DSN of the sealer's role, for `tonghu sealer` alone: web and worker never hold it."""
    pool_size: int = Field(default=16, ge=6, le=200)
    """Connections of each process. Each lane has its share (`app.core.http.admission`)."""
    pool_timeout_seconds: float = Field(default=2.0, gt=0, le=10)
    statement_timeout_ms: int = Field(default=15_000, ge=100)
    lock_timeout_ms: int = Field(default=5_000, ge=100)
    behind_pgbouncer: bool = False
    """`url` leads to a pooler of transactions: no statement is kept prepared, and timeouts are the
    role's, as start-up checks.
    """
    direct_url: SecretStr | None = None
    """DSN of the app role past the pooler, for workers, which listen. Needed with a pooler only."""
    read_url: SecretStr | None = None
    """DSN of the app role on a streaming replica, for lists, searches and counts. Nobody reads less
    there than was committed before; while it is away or behind, `url` answers.
    """

    @model_validator(mode="after")
    def _workers_can_listen(self) -> Self:
        if self.behind_pgbouncer and self.direct_url is None:
            raise ValueError("a pooler needs TONGHU_DATABASE__DIRECT_URL, for workers")
        return self

    @property
    def direct(self) -> "Database":
        """The same database, past the pooler."""
        if self.direct_url is None:
            return self
        past = {"url": self.direct_url, "behind_pgbouncer": False}
        return self.model_copy(update=past)


class Tokens(BaseModel):
    """Access tokens: issuer, audience and life time in seconds (RFC 9068, TOK-4)."""

    issuer: str = "http://127.0.0.1:8000"
    audience: str = "https://tonghu.example/api"
    staff_seconds: int = Field(default=600, ge=60, le=600)
    machine_seconds: int = Field(default=300, ge=60, le=300)


class Webhooks(BaseModel):
    """Outgoing deliveries. Private receivers only by an operator's CIDR list (R11)."""

    allowed_networks: tuple[IPvAnyNetwork, ...] = ()
    allow_http: bool = False
    allowed_ports: tuple[int, ...] = (443,)
    concurrency: int = Field(default=512, ge=1, le=1000)
    attempt_seconds: float = Field(default=20.0, gt=0, le=60)


class Worker(BaseModel):
    """Where a worker answers `/livez` and `/metrics`, each on a port of its own."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)
    """By default 8010 in production, else none; 0: none."""


class RateLimit(BaseModel):
    """Token bucket per caller, for reads and for writes, in all processes of one start (REL-12)."""

    per_second: float = Field(default=200.0, gt=0)
    burst: int = Field(default=2_000, ge=1)


_FROM_VARIABLES: Final = SettingsConfigDict(
    env_prefix="TONGHU_",
    env_nested_delimiter="__",
    frozen=True,
    extra="ignore",
    hide_input_in_errors=True,  # keys and passwords are among it
)


class SealerSettings(BaseSettings):
    """Those of `tonghu sealer`, which holds neither the app's DSN nor its keys."""

    model_config = _FROM_VARIABLES

    environment: Environment = Environment.development
    data_dir: Path = Path(".data")
    database: Database = Database()
    audit_key_file: Path | None = None
    """The key that checkpoints of the audit are signed with (`tonghu audit keygen`); required in
    production. Web and worker never hold it."""

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if self.environment is Environment.production:
            if self.database.sealer_url is None:
                raise ValueError("production needs TONGHU_DATABASE__SEALER_URL")
            if self.audit_key_file is None:
                raise ValueError("production needs TONGHU_AUDIT_KEY_FILE")
        return self


class Settings(BaseSettings):
    """All settings, from `TONGHU_…` variables; nested groups are split by `__`."""

    model_config = _FROM_VARIABLES

    environment: Environment = Environment.development
    data_dir: Path = Path(".data")
    """Holds the embedded database and, outside production, generated keys."""
    keys_file: Path | None = None
    """JSON file with signing and encryption keys; required in production."""
    keys: SecretStr | None = None
    """The same JSON as a value, for secret stores that inject variables."""
    database: Database = Database()
    tokens: Tokens = Tokens()
    webhooks: Webhooks = Webhooks()
    worker: Worker = Worker()
    second_factor: bool | None = None
    """Whether roles and acts that ask for a second factor get one (`second_factor` in the roles,
    `step_up` of an operation); by default in production. Who has one is asked for it anywhere."""
    docs_enabled: bool | None = None
    """Interactive docs; by default on everywhere but in production (IN-8)."""
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    max_batch_bytes: int = Field(default=5_242_880, ge=1024)
    """For operations that take a batch of events."""
    rate_limit: RateLimit = RateLimit()
    drain_seconds: float = Field(default=0.0, ge=0, le=25)
    """How long to be "not ready" at SIGTERM before the door closes; for use behind a balancer."""
    cors_origins: tuple[str, ...] = ()
    """Origins of web apps that call the API from a browser; tokens only, never cookies."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = (
        IPv4Network("127.0.0.1/32"),
        IPv6Network("::1/128"),
    )
    """Who says by `X-Forwarded-For` and `-Proto` for whom they ask. Else all who come through one
    proxy are one address: to the audit, and to the limits of who may guess passwords."""
    metrics_networks: tuple[IPvAnyNetwork, ...] = (
        IPv4Network("127.0.0.0/8"),
        IPv6Network("::1/128"),
    )
    """Who may read /metrics, by direct connection; for anyone else it does not exist."""

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if self.environment is Environment.production:
            faults = [*_lacking(self), *_undoing(self)]
            if faults:
                raise ValueError("; ".join(f"production {fault}" for fault in faults))
        return self

    def tells_figures(self, host: str) -> bool:
        """Tell whether who asks from an address may read the figures."""
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.metrics_networks)

    @property
    def worker_port(self) -> int:
        """Where the worker answers; 0: nowhere."""
        if self.worker.port is not None:
            return self.worker.port
        return WORKER_PORT if self.environment is Environment.production else 0

    @property
    def asks_second_factor(self) -> bool:
        if self.second_factor is not None:
            return self.second_factor
        return self.environment is Environment.production

    @property
    def serves_docs(self) -> bool:
        if self.docs_enabled is not None:
            return self.docs_enabled
        return self.environment is not Environment.production


class UnknownSettings(Exception):
    """A variable that begins like a setting is none; the process refuses to start."""


OTHERS: Final = frozenset(
    f"TONGHU_{name}"
    for name in (
        *("APP_PASSWORD", "OWNER_PASSWORD", "ISSUER"),  # of compose.yaml
        *("DEMO_DIR", "LIVES", "MATRIX", "PARTED", "PICTURES", "PLANS", "TEST_SUPERUSER_URL"),
    )
)
"""Variables that are no settings: what the demo and the tests are told."""


Kind = TypeVar("Kind", bound=BaseSettings)


def read(kind: type[Kind]) -> Kind:
    """Read the settings of this process. Raises UnknownSettings: who wrote a name wrongly would go
    without what they meant to set.
    """
    known = {name for each in (Settings, SealerSettings) for name in names(each, "TONGHU_")}
    given = {name.upper() for name in os.environ if name.upper().startswith("TONGHU_")}
    unknown = sorted(given - known - OTHERS)
    if unknown:
        likely = [get_close_matches(name, sorted(known), n=1, cutoff=0) for name in unknown]
        raise UnknownSettings(
            "; ".join(
                f"{name} is no setting: is {near[0]} meant?"
                for name, near in zip(unknown, likely, strict=True)
            )
        )
    return kind()


def names(group: type[BaseModel], prefix: str) -> Iterator[str]:
    """Name the variables of a group of settings: each, and each group as a whole."""
    for name, field in group.model_fields.items():
        yield f"{prefix}{name}".upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from names(field.annotation, f"{prefix}{name}__")


def _lacking(settings: Settings) -> Iterator[str]:
    """Say what production must be told."""
    if settings.database.url is None:
        yield "needs TONGHU_DATABASE__URL"
    if settings.keys_file is None and settings.keys is None:
        yield "needs TONGHU_KEYS_FILE or TONGHU_KEYS"
    if not settings.tokens.issuer.startswith("https://"):
        yield "needs an https TONGHU_TOKENS__ISSUER"


def _undoing(settings: Settings) -> Iterator[str]:
    """Say what would let strangers in where everything else keeps them out."""
    if settings.webhooks.allow_http:
        yield "never delivers webhooks over plain http: leave TONGHU_WEBHOOKS__ALLOW_HTTP out"
    if not settings.asks_second_factor:
        yield "asks for second factors: leave TONGHU_SECOND_FACTOR out"
    for origin in settings.cors_origins:
        if not _ORIGIN.fullmatch(origin):
            yield (
                "lets only named https origins call from browsers: write each in"
                " TONGHU_CORS_ORIGINS, such as https://app.example, never * or null"
            )
    for name, networks, sense in (
        ("TONGHU_TRUSTED_PROXIES", settings.trusted_proxies, "your own proxies"),
        ("TONGHU_METRICS_NETWORKS", settings.metrics_networks, "who reads your figures"),
        ("TONGHU_WEBHOOKS__ALLOWED_NETWORKS", settings.webhooks.allowed_networks, "your receivers"),
    ):
        if any(each.prefixlen < _WIDEST[each.version] for each in networks):
            yield f"names {sense} in {name}, not half of the internet: at most a /8, of IPv6 a /7"
    for each in settings.webhooks.allowed_networks:
        if any(each.version == own.version and each.overlaps(own) for own in _OWN):
            yield (
                "posts no webhooks to itself: leave addresses of this machine and of its link,"
                " where others of its services are, out of TONGHU_WEBHOOKS__ALLOWED_NETWORKS"
            )
    if settings.rate_limit.per_second > _FASTEST or settings.rate_limit.burst > _MOST_AT_ONCE:
        yield (
            "limits each caller: TONGHU_RATE_LIMIT__PER_SECOND is at most"
            f" {_FASTEST}, TONGHU_RATE_LIMIT__BURST {_MOST_AT_ONCE}"
        )
