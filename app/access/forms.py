"""Read OAuth requests: forms strictly (RFC 6749 §3.2), and where they come from."""

from urllib.parse import parse_qsl

from fastapi import Request

from app.access.oauth import Origin, Refused

_MAX_BYTES = 16 * 1024
_MAX_FIELDS = 30


def origin_of(request: Request) -> Origin:
    """Say where a request came from, for the audit."""
    address = request.client.host if request.client else None
    return Origin(request.scope.get("request_id", "-"), address)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of an urlencoded body of at most 16 KiB, none twice. Raises Refused
    `invalid_request`; its text never repeats the input.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Refused("invalid_request", "Send application/x-www-form-urlencoded.")
    body = await request.body()
    if len(body) > _MAX_BYTES:
        raise Refused("invalid_request", "The form is longer than 16 KiB.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise Refused("invalid_request", "The form cannot be read.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused("invalid_request", "A field is there twice.")
    if any("\x00" in value for value in fields.values()):
        raise Refused("invalid_request", "A field contains a NUL character.")
    return fields
