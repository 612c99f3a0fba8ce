"""What may be done with a consent, by operationId."""

from typing import Final

from app.access.acts import Act, unset
from app.consents.area import WRITE
from app.core.problems import Problem


class ConsentWithdrawnAlready(Problem, status=409):
    """It was withdrawn before."""

    title = "This consent was withdrawn already"
    title_zh = "该同意已撤回"


ACTS: Final = {
    "withdrawConsent": Act(WRITE.code, (unset("withdrawn_on", ConsentWithdrawnAlready),)),
}
