"""A college: receives Cairn's signed webhooks, answers enrollments, teaches, attests, claims. Public doors only.

`python -m examples.college --config FILE`; the file is JSON:
`{"api", "journal", "port", "providers": [{"provider_id", "api_key"}], "issuers": {id: {"kid", "jwk", "credentials"}},
"milestones": {credential_id: [code]}, "exam_fees": {credential_id: cents}, "plays": {email: {…}}}`. A play tells what
this college does with one learner: `answer` (accept, refuse, silent), `until` (start: it stops there), `exams` (one
result per attempt), `invoice` (how the invoice number begins).
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from joserfc import jws
from joserfc.jwk import OKPKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.days import today
from examples.doors import Declined, Doors

MESSAGES_REMEMBERED_MAX = 100_000


class College:
    """One provider's account: its doors, its webhook secret, what it knows of each case."""

    def __init__(self, provider_id: str, doors: Doors, config: dict[str, Any], journal: Path) -> None:
        self.provider_id = provider_id
        self.doors = doors
        self.secret = ""
        self._issuers: dict[str, dict[str, Any]] = config["issuers"]
        self._plays: dict[str, dict[str, Any]] = config["plays"]
        self._exam_fees: dict[str, int] = config["exam_fees"]
        self._milestones: dict[str, list[str]] = config["milestones"]
        self._paid_exams: set[str] = set()
        self._journal = journal
        self._seen: dict[str, None] = {}
        self._enrollments: dict[str, dict[str, Any]] = {}
        self._play_of: dict[str, dict[str, Any]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "enrollment.requested": self._on_request,
            "exam_voucher.issued": self._on_exam_voucher,
            "credential.recorded": self._on_credential,
        }

    async def receive(self, request: Request) -> Response:
        """The webhook address: verify over the raw body, remember the id, answer at once, work afterwards."""
        body = await request.body()
        headers = {
            name: request.headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        }
        if self.secret:
            try:
                Webhook(self.secret).verify(body, headers)
            except WebhookVerificationError:
                return JSONResponse({"error": "signature"}, status_code=401)
        message = json.loads(body)
        if message["type"] == "ping":
            return JSONResponse({"challenge": message["data"]["challenge"]})
        if not self.secret:
            return JSONResponse({"error": "not registered yet"}, status_code=503)
        again = headers["webhook-id"] in self._seen
        self._write({"webhook_id": headers["webhook-id"], "type": message["type"], "again": again, **message["data"]})
        if not again:
            self._seen[headers["webhook-id"]] = None
            if len(self._seen) > MESSAGES_REMEMBERED_MAX:
                self._seen.pop(next(iter(self._seen)))
            handler = self._handlers.get(message["type"])
            if handler is not None:
                task = asyncio.create_task(self._handle(handler, message["data"]))
                self._work.add(task)
                task.add_done_callback(self._work.discard)
        return JSONResponse({"taken": True})

    async def register(self, url: str) -> None:
        """Give Cairn this college's address and keep the signing secret, shown once."""
        answer = await self.doors.post("/v1/webhook-endpoints", {"url": url}, key=f"{self.provider_id}-{url[-40:]}")
        self.secret = answer["secret"]

    async def _handle(self, handler: Callable[[dict[str, Any]], Awaitable[None]], data: dict[str, Any]) -> None:
        try:
            await handler(data)
        except Declined as declined:
            self._write({"declined": str(declined), "application_id": data["application_id"]})

    async def _on_request(self, data: dict[str, Any]) -> None:
        enrollment = data["enrollment_id"]
        person = await self.doors.get(f"/v1/enrollments/{enrollment}/person")
        play = self._plays.get(person["email"], {})
        self._enrollments[enrollment] = data
        self._play_of[enrollment] = play
        answer = play.get("answer", "accept")
        if answer == "silent":
            return
        if answer == "refuse":
            refusal = {"answer": "refused", "reasons": ["prerequisite_missing"]}
            await self._tell(enrollment, "answer", refusal)
            return
        await self._tell(enrollment, "answer", {"answer": "accepted", "price_cents": data["award_cents"]})
        await self._tell(enrollment, "start", {})
        if play.get("until") == "start":
            return
        for milestone in self._milestones.get(data["credential_id"], ()):
            await self._tell(enrollment, "milestones", {"milestone": milestone}, name=f"milestone-{milestone}")
        await self._tell(enrollment, "attestation", {"attestation": self._attest(data)})

    def _attest(self, data: dict[str, Any]) -> str:
        """The issuer's signed statement (compact JWS, EdDSA) that this person completed."""
        issuer, key = next(
            (issuer, key) for issuer, key in self._issuers.items() if data["credential_id"] in key["credentials"]
        )
        statement = {
            "iss": issuer,
            "enrollment_id": data["enrollment_id"],
            "credential_id": data["credential_id"],
            "completed_on": today().isoformat(),
        }
        header = {"alg": "EdDSA", "kid": key["kid"]}
        return jws.serialize_compact(header, json.dumps(statement), OKPKey.import_key(key["jwk"]), algorithms=["EdDSA"])

    async def _on_exam_voucher(self, data: dict[str, Any]) -> None:
        self._paid_exams.add(data["enrollment_id"])
        play = self._play_of.get(data["enrollment_id"], {})
        attempt = data["attempt_number"]
        results = play.get("exams", ["passed"])
        about = {"exam_id": data["exam_id"], "attempt_number": attempt}
        base = f"/v1/applications/{data['application_id']}"
        key = f"{data['application_id']}-exam-{attempt}"
        await self.doors.post(
            f"{base}/exam-registration", {**about, "registration": f"REG-{attempt}"}, key=f"{key}-reg"
        )
        result = results[min(attempt, len(results)) - 1]
        await self.doors.post(f"{base}/exam-result", {**about, "result": result}, key=f"{key}-res")

    async def _on_credential(self, data: dict[str, Any]) -> None:
        enrollment = data["enrollment_id"]
        play = self._play_of.get(enrollment, {})
        claim = {
            "invoice_number": f"{play.get('invoice', 'INV')}-{enrollment[-10:]}",
            "invoice_on": today().isoformat(),
            "amount_cents": self._price(enrollment),
            "participant_charged_cents": 0,
            "documents": [{"kind": "proof_of_payment", "reference": f"REC-{enrollment[-10:]}"}],
        }
        await self._tell(enrollment, "claims", claim)

    def _price(self, enrollment: str) -> int:
        """What is asked for: the award, without the fee of an exam that the program paid with an exam voucher."""
        request = self._enrollments[enrollment]
        paid = self._exam_fees.get(request["credential_id"], 0) if enrollment in self._paid_exams else 0
        return request["award_cents"] - paid

    async def _tell(self, enrollment: str, what: str, body: dict[str, Any], *, name: str | None = None) -> None:
        await self.doors.post(f"/v1/enrollments/{enrollment}/{what}", body, key=f"{enrollment}-{name or what}")

    def _write(self, line: dict[str, Any]) -> None:
        with self._journal.open("a") as file:
            file.write(json.dumps({"provider_id": self.provider_id, **line}) + "\n")


async def serve(config: dict[str, Any]) -> None:
    """Listen, register every account's address, work until told to stop."""
    journal = Path(config["journal"])
    accounts = [
        College(p["provider_id"], Doors(config["api"], p["api_key"]), config, journal) for p in config["providers"]
    ]
    routes = [Route(f"/webhooks/{a.provider_id}", a.receive, methods=["POST"]) for a in accounts]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=config["port"], log_level="warning")
    )
    serving = asyncio.create_task(server.serve())
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, lambda: setattr(server, "should_exit", True))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers no event for it
        await asyncio.sleep(0.01)
    for account in accounts:
        await account.register(f"http://127.0.0.1:{config['port']}/webhooks/{account.provider_id}")
    print(json.dumps({"ready": True}), flush=True)
    await serving
    for account in accounts:
        await account.doors.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--config", type=Path, required=True)
    asyncio.run(serve(json.loads(arguments.parse_args().config.read_text())))
