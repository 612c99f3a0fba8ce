"""The sealed audit to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Sealed audit",
    chapter=29,
    zh="审计日志的封存与见证:默克尔树、签名检查点、一致性证明。",
    en="What proves the audit: a Merkle tree, signed checkpoints, witnesses and proofs.",
    lane=areas.Lane.machines,
)
READ = AREA.scope(
    "checkpoints:read",
    zh="读取审计检查点与证明",
    en="Read checkpoints of the audit, and proofs",
    personal=False,
)
COSIGN = AREA.scope(
    "checkpoints:cosign",
    zh="作为见证方对检查点签名",
    en="Cosign checkpoints, as a witness",
    personal=False,
)
KEEP_WITNESSES = AREA.scope(
    "witnesses:write",
    zh="登记与撤销审计见证方",
    en="Register witnesses of the audit, and end them",
    personal=False,
)
