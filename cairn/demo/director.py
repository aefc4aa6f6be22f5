"""Directs the demo: applies for everybody, watches the cases, and does what people and staff have to do."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from cairn.demo.cast import Cast
from cairn.demo.scenarios import Scenario, application_of
from contracts.journey import Stage
from examples.doors import Declined, Doors
from examples.portal import Portal

POLL_SECONDS = 0.4
BATCH_SECONDS = 0.8


class Case:
    """One scenario on its way."""

    def __init__(self, scenario: Scenario, number: int) -> None:
        self.scenario = scenario
        self.number = number
        self.application_id = ""
        self.view: dict[str, Any] = {}
        self.stages_seen: set[str] = set()
        self.changed = asyncio.Event()

    def see(self, view: dict[str, Any]) -> None:
        if view != self.view:
            self.view = view
            self.stages_seen.add(view["stage"])
            self.changed.set()

    def row(self) -> dict[str, Any]:
        """The case as `--json` tells it."""
        outcome = self.view.get("outcome")
        witness = self.scenario.witness
        return {
            "application_id": self.application_id,
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "expected": self.scenario.expected,
            "outcome": outcome,
            "stage": self.view.get("stage", ""),
            "reasons": [reason["code"] for reason in self.view.get("reasons", [])],
            "awarded_cents": self.view.get("awarded_cents", 0),
            "paid_cents": self.view.get("paid_cents", 0),
            "ok": outcome == self.scenario.expected and (witness is None or witness in self.stages_seen),
        }


class Director:
    """Runs every scenario to its end, within one bound."""

    def __init__(self, api: str, cast: Cast, scenarios: Sequence[Scenario], on_change: Callable[[], None]) -> None:
        self.cases = [Case(scenario, number) for number, scenario in enumerate(scenarios, 1)]
        self._by_name = {case.scenario.name: case for case in self.cases}
        self._portal_doors = Doors(api, cast.portal_key)
        self._portal = Portal(self._portal_doors)
        self._maker, self._checker = Doors(api, cast.maker_key), Doors(api, cast.checker_key)
        self._on_change = on_change
        self._run = uuid.uuid4().hex[:8]

    async def run(self, seconds_max: float) -> None:
        """Until every case is closed or the time is over; cases that are open then count as failed."""
        background = [asyncio.create_task(self._watch()), asyncio.create_task(self._pay())]
        plays = [asyncio.create_task(self._play(case)) for case in self.cases]
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds_max):
                    await self._first_failure_or_all([*plays], background)
        finally:
            for task in [*plays, *background]:
                task.cancel()
            await asyncio.gather(*plays, *background, return_exceptions=True)
            for doors in (self._portal_doors, self._maker, self._checker):
                await doors.close()

    async def _first_failure_or_all(
        self, plays: list[asyncio.Task[None]], background: list[asyncio.Task[None]]
    ) -> None:
        waiting: set[asyncio.Task[None]] = {*plays}
        while waiting:
            done, _ = await asyncio.wait({*waiting, *background}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            waiting -= done

    async def _play(self, case: Case) -> None:
        """One person's part: apply, send what is asked for, give up where the scenario says so; wait for the end."""
        play = case.scenario
        if play.waits_for is not None:
            await self._until(self._by_name[play.waits_for], lambda view: view.get("stage") in _FROM_LEARNING)
        body = application_of(play, [each.scenario for each in self.cases])
        case.application_id = await self._portal.apply(body, key=f"{self._run}-{play.name}")
        if play.document is not None and await self._stands_in(case, Stage.INFORMATION):
            await self._portal.send_document(case.application_id, play.document)
        if play.withdraws_in is not None and await self._stands_in(case, play.withdraws_in):
            await self._portal.withdraw(case.application_id, "changed_plans")
        for other in self.cases:
            if other.scenario.waits_for == play.name and await self._stands_in(other, Stage.WAITING_LIST):
                await self._portal.withdraw(case.application_id, "changed_plans")
        # Who was charged answers the letter, which comes with the approved claim; who was not may say so before.
        if await self._comes_to(case, {Stage.REIMBURSEMENT} if play.was_charged else _FROM_CLAIM):
            await self._portal.answer_charge(case.application_id, charged=play.was_charged)
        await self._until(case, lambda view: view.get("outcome") is not None)
        # A short stage may have come and gone between two looks: the case's own record says where it ended.
        told = await self._portal.timeline(case.application_id)
        case.stages_seen |= {entry["details"]["stage"] for entry in told if "stage" in entry["details"]}

    async def _stands_in(self, case: Case, stage: str) -> bool:
        """Wait for the stage; `False` where the case ended without it."""
        return await self._comes_to(case, {stage})

    async def _comes_to(self, case: Case, stages: set[str]) -> bool:
        """Wait for one of the stages; `False` where the case ended without it."""
        await self._until(case, lambda view: view.get("stage") in stages or view.get("outcome") is not None)
        return case.view.get("outcome") is None

    async def _until(self, case: Case, reached: Callable[[dict[str, Any]], bool]) -> None:
        while not reached(case.view):
            case.changed.clear()
            await case.changed.wait()

    async def _watch(self) -> None:
        """Read every open case as its portal does."""
        while True:
            for case in self.cases:
                if case.application_id and case.view.get("outcome") is None:
                    case.see(await self._portal.read(case.application_id))
            self._on_change()
            await asyncio.sleep(POLL_SECONDS)

    async def _pay(self) -> None:
        """The finance office: one makes a batch, another approves it; what came back is repaired and paid again."""
        repaired: set[str] = set()
        round_number = 0
        while True:
            round_number += 1
            key = f"{self._run}-batch-{round_number}"
            with suppress(Declined):
                await self._pay_batch(key)
            await self._decide_stopped(key)
            for case in self.cases:
                if case.scenario.repair and case.application_id not in repaired and await self._came_back(case):
                    repaired.add(case.application_id)
                    await self._repair(case)
            await asyncio.sleep(BATCH_SECONDS)

    async def _pay_batch(self, key: str) -> None:
        """What may not leave as it was made, because a payment of it was stopped meanwhile, is made anew next time."""
        batch = await self._maker.post("/v1/payment-batches", key=key)
        place = f"/v1/payment-batches/{batch['batch_id']}"
        try:
            await self._checker.post(f"{place}/approval", key=f"{key}-approve")
        except Declined:
            await self._maker.post(f"{place}/withdrawal", key=f"{key}-withdraw")

    async def _decide_stopped(self, key: str) -> None:
        """Claims whose person was charged are refused."""
        for review in (await self._checker.get("/v1/claim-reviews?queue=charges"))["items"]:
            with suppress(Declined):
                decision = {"decision": "refuse", "note": "the provider confirmed the charge"}
                await self._checker.post(f"/v1/claims/{review['claim_id']}/decision", decision, key=f"{key}-refuse")

    async def _came_back(self, case: Case) -> bool:
        if case.view.get("stage") != Stage.REIMBURSEMENT:
            return False
        told = await self._portal.timeline(case.application_id)
        return any(entry["type"].endswith("disbursement.returned.v1") for entry in told)

    async def _repair(self, case: Case) -> None:
        provider, key = case.scenario.provider_id, f"{self._run}-repair-{case.application_id}"
        repair = await self._maker.post(f"/v1/payees/{provider}/repairs", {"evidence": "call-back 2026-1"}, key=key)
        await self._checker.post(f"/v1/payees/{provider}/repairs/{repair['repair_id']}/approval", key=f"{key}-approve")


_FROM_CLAIM: set[str] = {Stage.CLAIM, Stage.REIMBURSEMENT}
_FROM_LEARNING = {Stage.LEARNING, Stage.EXAM, Stage.CREDENTIAL, Stage.CLAIM, Stage.REIMBURSEMENT, Stage.CLOSED}
