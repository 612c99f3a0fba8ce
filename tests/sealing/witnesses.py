"""A witness as an agency runs one: it checks what it is given, keeps it, and countersigns."""

from base64 import b64decode, b64encode
from dataclasses import dataclass, field

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tonghu_verify import notes, tree

from app.core.data import db
from app.core.jobs import queue
from app.sealing.notes import WITNESS, VerifierKey, body_of
from tests.access.factories import Caller

COUNTY = 120119000000
WITNESSES = "/v1/audit/witnesses"
PRESENTATIONS = "/v1/audit/presentations"


def signature_line(
    key: VerifierKey,
    private: Ed25519PrivateKey,
    note: str,
    at: int = 1_795_140_000,
    *,
    id_: bytes | None = None,
) -> str:
    """The line of a signature over a note, by the key or in its name; `id_`: under another id."""
    said = f"cosignature/v1\ntime {at}\n{body_of(note)}".encode()
    signed = (id_ or key.id) + at.to_bytes(8, "big") + private.sign(said)
    return f"— {key.name} {b64encode(signed).decode()}"


@dataclass
class Witness:
    """One agency's: its system, its key, and the largest checkpoint it holds."""

    name: str
    caller: Caller
    log_key: str
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    size: int = 0
    root: bytes = b""

    @property
    def key(self) -> str:
        return str(VerifierKey(self.name, WITNESS, self.private.public_key().public_bytes_raw()))

    def line(self, note: str, at: int = 1_795_140_000, *, of: "Witness | None" = None) -> str:
        """The line of its signature over a note. `of`: under the id of another's key."""
        key, id_ = (VerifierKey.read(each.key, WITNESS) for each in (self, of or self))
        return signature_line(key, self.private, note, at, id_=id_.id)

    async def fetch(self, client: httpx.AsyncClient, checkpoint_id: str) -> dict:
        """Fetch a checkpoint, and check that it goes on from what is held."""
        path = f"/v1/audit/checkpoints/{checkpoint_id}"
        asked = {"since": str(self.size)}
        answer = await client.get(path, params=asked, headers=self.caller.headers)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        log = [notes.Key.read(self.log_key, notes.LOG)]
        said = notes.checkpoint(found["note"], checkpoint_id, log, [])
        proof = [b64decode(each) for each in found["consistency"]]
        if self.size:
            assert tree.extends(self.size, said.size, proof, self.root, said.root)
        self.size, self.root = said.size, said.root
        return found

    async def present(self, client: httpx.AsyncClient, note: str) -> httpx.Response:
        """Say what it holds."""
        headers = self.caller.headers
        return await client.post(PRESENTATIONS, json={"note": note}, headers=headers)

    async def cosign(
        self, client: httpx.AsyncClient, checkpoint_id: str, line: str
    ) -> httpx.Response:
        path = f"/v1/audit/checkpoints/{checkpoint_id}/cosignatures"
        return await client.post(path, json={"line": line}, headers=self.caller.headers)


async def announced(database: db.Database, agency) -> list[str]:
    """What an agency was told of by now."""
    async with database.begin(db.SYSTEM) as tx:
        await queue.REGISTRY["sealing.announce"].handler(tx, {})
    async with database.begin(db.SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT data ->> 'checkpoint_id' FROM events WHERE wire_name = 'checkpoints.made'"
            " AND told_to @> to_jsonb($1::text) ORDER BY n",
            str(agency),
        )
    return [row[0] for row in rows]
