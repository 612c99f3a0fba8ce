"""What OAuth's answers and records share: its errors, and where a request came from."""

from dataclasses import dataclass
from uuid import UUID

from app.access.models import Client
from app.access.queries import Holding
from app.audit.operations import Actor


class Refused(Exception):
    """An OAuth error (RFC 6749 §5.2). It is answered, not raised to the edge: what was written
    before it (a spent code, an ended sign-in, the audit row) is committed.
    """

    def __init__(
        self,
        error: str,
        description: str,
        *,
        reason: str | None = None,
        sign_in_id: UUID | None = None,
        subject: UUID | None = None,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.reason = reason or error
        """For the audit; may say more than the caller learns."""
        self.sign_in_id = sign_in_id
        """That it ended."""
        self.subject = sign_in_id or subject
        """What the audit row is about."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request behind an audit row."""

    request_id: str
    ip: str | None

    def actor(
        self,
        client: Client | None,
        *,
        staff_id: UUID | None = None,
        holding: Holding | None = None,
    ) -> Actor:
        """Name whoever asks, as far as they are known."""
        subject = "unknown"
        if staff_id is not None:
            subject = f"staff:{staff_id}"
        elif client is not None:
            subject = f"client:{client.id}"
        place = holding or client
        return Actor(
            subject=subject,
            client_id=client.id if client else None,
            agency_id=place.agency_id if place else None,
            role=(place.role if place else None) or "none",
            region_code=place.region_code if place else None,
            purpose=None,
            request_id=self.request_id,
            ip=self.ip,
        )
