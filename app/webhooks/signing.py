"""Standard Webhooks 1.0.0 signatures, version v1 (HMAC-SHA256), and the ids that go with them."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence


def new_secret() -> bytes:
    """Make a signing secret: 32 random bytes."""
    return secrets.token_bytes(32)


def new_webhook_id() -> str:
    """Make an unguessable `msg_…` id, 27 characters of [A-Za-z0-9_-] after the prefix."""
    return f"msg_{secrets.token_urlsafe(20)}"


def secret_text(secret: bytes) -> str:
    """Write a secret as its owner gets it: `whsec_` and standard base64, padded."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def key_id(secret: bytes) -> str:
    """Name a secret in the attempt log without giving it away."""
    return hashlib.sha256(b"webhook-key-id\0" + secret).hexdigest()[:12]


def signature(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Sign `id.timestamp.body` with every key, newest first; receivers accept any of them."""
    content = b"%s.%d.%s" % (webhook_id.encode(), timestamp, body)
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys
    )
