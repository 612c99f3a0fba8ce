"""The police system: receives signed webhooks, checks them, and answers through the API.

`python -m demo.police BASE DATA_DIR PORT`, a process of its own. It answers the first delivery of
every report with 500 on purpose: a mandatory report must survive that.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from app.core.clock import utc_now
from demo import api
from demo.telling import tell


class Desk:
    """One police system: its secret, what it has seen, and its session with the API."""

    def __init__(self, base: str, data_dir: Path, port: int) -> None:
        self.base, self.data_dir = base, data_dir
        self.session = api.machine(base, data_dir, "police", "protection")
        endpoint = self.session.call(
            "POST",
            "/v1/webhook-endpoints",
            {
                "url": f"http://127.0.0.1:{port}/reports",
                "description": "Demo police system",
                "event_types": ["police_reports.report_filed"],
            },
        ).json()
        self.webhook = Webhook(endpoint["secret"])
        self.seen: dict[str, bytes] = {}
        self.handled: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def receive(self, request: web.Request) -> web.Response:
        """Verify a delivery; drop the first of each report; hand the report on once."""
        body, headers = await request.read(), dict(request.headers)
        message = headers["webhook-id"]
        try:
            event = self.webhook.verify(body, headers)
        except WebhookVerificationError:
            return web.Response(status=401)
        if message not in self.seen:
            self.seen[message] = body
            tell(
                "police", f"delivery {message[:12]}… has a valid signature; dropped on purpose: 500"
            )
            return web.Response(status=500)
        same = self.seen[message] == body
        tell(
            "police", f"delivery {message[:12]}… again: same id, same bytes: {same}; accepted: 204"
        )
        if message not in self.handled:
            self.handled.add(message)
            task = asyncio.create_task(asyncio.to_thread(self.handle, event["data"]["report_id"]))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return web.Response(status=204)

    def handle(self, report_id: str) -> None:
        """Fetch the report, accept it, go out, act, and tell the township (REP-07…14)."""
        path = f"/v1/police-reports/{report_id}"
        report = self.session.get(path)
        tell("police", f"fetched the report under its own token: {', '.join(report['situations'])}")
        self._step(f"{path}/acknowledgement", police_reference="演示受理-0001", accepted_at=_now())
        tell("police", "acknowledged with its own number (REP-07)")
        self._step(f"{path}/dispatch", dispatched_at=_now(), unit="演示派出所一组")
        self._step(
            f"{path}/dispositions",
            kind="domestic_violence",
            at=_now(),
            measures=[
                *("violence_stopped", "warning_letter_issued", "evidence_collected"),
                *("civil_affairs_notified", "medical_care_arranged"),
            ],
            omitted=[
                {
                    "measure": "injury_appraisal_arranged",
                    "reason": "演示:医生认为不需要。Demo: the doctor sees no need.",
                }
            ],
        )
        tell("police", "dispatched officers and recorded what they did (REP-12)")
        self._step(
            f"{path}/township-notice",
            sent_at=_now(),
            content="演示:已受理并处置。Demo: accepted and handled.",
        )
        tell("police", "told the township (REP-14)")

    def _step(self, path: str, **body: Any) -> None:
        self.session.call("POST", path, body)


def _now() -> str:
    return utc_now().isoformat()


def main(base: str, data_dir: str, port: str) -> None:
    desk = Desk(base, Path(data_dir), int(port))
    app = web.Application()
    app.router.add_post("/reports", desk.receive)
    web.run_app(app, host="127.0.0.1", port=int(port), print=lambda *_: None)


if __name__ == "__main__":
    main(*sys.argv[1:4])
