"""Load the endpoint or delivery a path names, or answer that there is none."""

from typing import Annotated

import asyncpg

from app.access.deps import named_in_path
from app.core.problems import Problem
from app.webhooks import queries
from app.webhooks.models import WebhookEndpoint


class EndpointNotFound(Problem, status=404, denies=True):
    """No such endpoint, or another agency's: the same answer (AZ-3)."""

    title = "No such webhook endpoint"
    title_zh = "没有这个推送地址"


class DeliveryNotFound(Problem, status=404, denies=True):
    """No such delivery, or another agency's: the same answer (AZ-3)."""

    title = "No such webhook delivery"
    title_zh = "没有这条推送记录"


_ENDPOINT = ("endpoint_id", "The endpoint's id.")

EndpointInPath = Annotated[
    WebhookEndpoint, named_in_path(*_ENDPOINT, queries.endpoint, EndpointNotFound)
]
"""The endpoint named in the path, if it is the caller's agency's; else 404."""

EndpointToChange = Annotated[
    WebhookEndpoint, named_in_path(*_ENDPOINT, queries.endpoint, EndpointNotFound, lock=True)
]
"""The same, locked: nothing is queued to it until the transaction ends."""

DeliveryInPath = Annotated[
    asyncpg.Record,
    named_in_path("delivery_id", "The delivery's id.", queries.delivery, DeliveryNotFound),
]
"""The delivery named in the path, if it is to the caller's agency; else 404."""
