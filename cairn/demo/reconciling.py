"""The end of the demo: the money that was paid against the bank's statements, each misbehavior shown and caught."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cairn.demo.cast import Cast
from examples.doors import Declined, Doors

if TYPE_CHECKING:
    from kit.settings import ProcessSettings
    from services.payments.usecases.reconciliation_page import Page

SECONDS_MAX = 30.0
PAUSE_SECONDS = 0.4

BANK = {
    "seed": 20260310,
    "behaviors": {
        "DUP": "duplicate",
        "PAR": "partial",
        "LAT": "late",
        "BAR": "bare",
        "RET": "return",
        "BCK": "late_return",
    },
    "files": ["wrong_total", "gap", "again", "overlap"],
    "settle_looks": 3,
    "late_return_looks": 10,
    "every_seconds": 0.3,
}
"""How the bank misbehaves: payments by their invoice numbers, its statements one after the other."""

STORIES = (
    ("settled_by_statement", "confirmation late or lost", "the bank's statement settled it"),
    ("duplicates_reversed", "debited twice", "open until the bank gave one back"),
    ("paid_in_parts", "debited in parts", "settled when the parts added up"),
    ("matched_by_people", "debit that names no payment", "two people found the payment"),
    ("returned", "came back", "payable, payee repaired, paid again"),
    ("returned_late", "came back after it had settled", "open again, payee repaired, paid again"),
    ("unproven", "statement with a wrong total", "held; the bank sent another"),
    ("files_repeated", "statement sent twice", "nothing changed"),
    ("lines_repeated", "line in two statements", "counted once"),
    ("followed", "statement before its turn", "held until the missing one came"),
)
"""What is counted, what happened, what became of it."""


class Reconciler:
    """Two people of the finance office at the end of the day."""

    def __init__(self, settings: "ProcessSettings", api: str, cast: Cast, journal: Path) -> None:
        from services.payments.settings import PaymentsSettings

        self._settings: PaymentsSettings = PaymentsSettings.model_validate(settings.model_dump())
        self._maker, self._checker = Doors(api, cast.maker_key), Doors(api, cast.checker_key)
        self._journal = journal
        self._repaired: set[str] = set()
        self._round = 0

    async def run(self) -> dict[str, Any]:
        """Until nothing is open and the bank has told everything, or the time is over; what it came to."""
        from services.payments.desk.reconciliation import reconciled_page

        page = await reconciled_page(self._settings)
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS_MAX):
                while not (await self._paid_again() and page.nothing_is_open and self._bank()["quiet"]):
                    await self._decide(page)
                    await asyncio.sleep(PAUSE_SECONDS)
                    page = await reconciled_page(self._settings)
        for doors in (self._maker, self._checker):
            await doors.close()
        return await self._told(page)

    async def _decide(self, page: "Page") -> None:
        """Two people match what names no payment; one puts away statements that the bank has sent again."""
        doors = "/v1/reconciliation"
        for one, _ in page.lines:
            found = [each["id"] for each in one.candidates if each["reason"] == "amount"]
            if one.reason == "candidates_found" and len(found) == 1:
                match = {"disbursement_id": found[0], "reason": "the bank named it by phone"}
                with suppress(Declined):
                    act = await self._maker.post(f"{doors}/lines/{one.line.line_id}/match", match)
                    if act["state"] == "waiting":
                        await self._checker.post(f"{doors}/decisions/{act['act_id']}/approval")
        for held in page.held:
            if held.place == 0 and self._bank()["quiet"]:
                why = {"reason": "the bank sent it again, corrected"}
                with suppress(Declined):
                    await self._maker.post(f"{doors}/statements/{held.statement_id}/dismissal", why)

    async def _paid_again(self) -> bool:
        """Repair payees whose payments came back after settlement, and pay them again; False while that goes on."""
        from services.payments.desk import reconciliation as desk

        _, payees = await desk.tally(self._settings)
        for payee in payees:
            with suppress(Declined):
                repair = await self._maker.post(f"/v1/payees/{payee}/repairs", {"evidence": "call-back 2026-2"})
                await self._checker.post(f"/v1/payees/{payee}/repairs/{repair['repair_id']}/approval")
                self._repaired.add(payee)
        with suppress(Declined):
            batch = await self._maker.post("/v1/payment-batches")
            await self._checker.post(f"/v1/payment-batches/{batch['batch_id']}/approval")
            return False
        return not payees

    def _bank(self) -> dict[str, Any]:
        """The bank's last word on itself, from its own journal."""
        found: dict[str, Any] = {"quiet": False, "moved_cents": 0}
        if self._journal.exists():
            for line in self._journal.read_text().splitlines():
                with suppress(ValueError):
                    told = json.loads(line)
                    found = told if "quiet" in told else found | {"quiet": False}
        return found

    def _sent_again(self) -> int:
        return self._journal.read_text().count('"behavior": "again"') if self._journal.exists() else 0

    async def _told(self, page: "Page") -> dict[str, Any]:
        from services.payments.desk import reconciliation as desk

        counts, _ = await desk.tally(self._settings)
        counts["files_repeated"] = self._sent_again()
        bank_cents = -self._bank()["moved_cents"]
        money = page.in_transit
        agrees = bank_cents == -counts["moved_cents"] == counts["disbursed_cents"]
        return {
            "ok": page.nothing_is_open and agrees,
            "bank_cents": bank_cents,
            "statements_cents": -counts["moved_cents"],
            "ledger_cents": counts["disbursed_cents"],
            "in_transit_cents": money.ledger_cents,
            "lines": counts["lines"],
            "lines_open": len(page.lines),
            "payments_open": len(page.payments),
            "statements_held": len(page.held),
            "stories": [
                {"name": name, "happened": happened, "times": counts[name], "became": became}
                for name, happened, became in STORIES
            ],
        }
