"""What may be done with an endpoint and with a delivery, by operationId."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act, personally, stands
from app.core.problems import Problem


class DeliveryNotOpen(Problem, status=409):
    """Only a mandatory delivery that is still being tried can be closed."""

    title = "This delivery is not a mandatory one that is still being tried"
    title_zh = "该推送不是仍在重试的强制推送,不能关闭"


ENDPOINT_ACTS: Final[Mapping[str, Act]] = {
    "changeWebhookEndpoint": Act("webhooks:write"),
    "rotateWebhookSecret": Act("webhooks:write"),
}

DELIVERY_ACTS: Final[Mapping[str, Act]] = {
    "replayWebhookDelivery": Act("webhooks:write"),
    "closeWebhookDelivery": Act(
        "webhooks:write",
        (
            personally("id"),
            stands(lambda *_: ("M",), lambda *_: DeliveryNotOpen(), "delivery_class"),
            stands(lambda *_: ("pending", "leased"), lambda *_: DeliveryNotOpen()),
        ),
    ),
}
