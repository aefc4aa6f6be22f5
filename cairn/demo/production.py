"""One production of the demo: stack, cast, outside parties, director, and the result."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cairn.demo.cast import PACKS, Cast, assemble
from cairn.demo.director import Director
from cairn.demo.parties import BANK_JOURNAL, outside_parties
from cairn.demo.reconciling import BANK, Reconciler
from cairn.demo.redeeming import redeem
from cairn.demo.scenarios import Scenario
from cairn.stack.engines import environment, settings_fields
from cairn.stack.layout import Home
from cairn.stack.local import addresses, local_stack
from cairn.stack.supervisor import Supervisor
from kit.settings import ProcessSettings


@asynccontextmanager
async def produce(
    home: Home,
    scenarios: Sequence[Scenario],
    seconds_max: float,
    *,
    on_stack: Callable[[Supervisor], None],
    on_cases: Callable[[list[dict[str, Any]], str], None],
    asked: asyncio.Event,
) -> AsyncIterator[dict[str, Any]]:
    """Yield the result while the stack is still up. `asked` ends it early."""
    async with local_stack(home, fresh=True, on_change=on_stack) as stack:
        variables = environment(home, stack.ports)
        settings = ProcessSettings.model_validate(settings_fields(variables))
        cast = await assemble(settings)
        urls = addresses(home, stack.ports)
        college = cast.college(urls["api"], {s.email: s.play for s in scenarios})
        parties, exchange = home.path / "parties", str(home.exchange)
        finance = {"exchange": exchange, "return_once": {"RET": "R03"}, "lose": ["LOST"]}
        async with outside_parties(parties, college, finance, BANK | {"exchange": exchange}):
            director = Director(
                urls["api"], cast, scenarios, lambda: on_cases([c.row() for c in director.cases], stack.status)
            )
            running = asyncio.create_task(director.run(seconds_max))
            waiting = asyncio.create_task(asked.wait())
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            running.cancel()
            await asyncio.wait({running})
            if not running.cancelled():
                running.result()
            reconciler = Reconciler(settings, urls["api"], cast, parties / BANK_JOURNAL)
            reconciliation = None if asked.is_set() else await reconciler.run()
            result = await _result(settings, director, cast, urls, home)
            if reconciliation is not None:
                result |= {"ok": result["ok"] and reconciliation["ok"], "reconciliation": reconciliation}
            yield result


async def _result(
    settings: ProcessSettings, director: Director, cast: Cast, urls: dict[str, str], home: Home
) -> dict[str, Any]:
    from services.payments.desk.books import cost_lines
    from services.payments.main import money_by_stage
    from services.payments.settings import PaymentsSettings

    payments = PaymentsSettings.model_validate(settings.model_dump())
    money: dict[str, int] = {}
    paid_for = Counter[str]()
    appropriation, agrees = 0, True
    for program_id in PACKS:
        stages = dict(await money_by_stage(payments, program_id))
        appropriation += stages.pop("appropriation_cents")
        for stage, cents in stages.items():
            money[stage] = money.get(stage, 0) + cents
        found = await cost_lines(payments, program_id)
        agrees = agrees and found["agrees"]
        paid_for.update({line: stages["disbursed"] for line, stages in found["cost_lines"].items()})
    cases = [case.row() for case in director.cases]
    adds_up = sum(money.values()) == appropriation and agrees
    exam_vouchers = await redeem(settings, urls["api"], cast, director.cases, home.path / "parties")
    return {
        "ok": adds_up and exam_vouchers["ok"] and all(case["ok"] for case in cases),
        "cases": cases,
        "money": money,
        "paid_for": dict(paid_for),
        "appropriation_cents": appropriation,
        "exam_vouchers": exam_vouchers,
        "urls": urls,
        "looks": _looks(cases, urls, home),
    }


def _looks(cases: Sequence[dict[str, Any]], urls: dict[str, str], home: Home) -> list[str]:
    """Five things worth looking at, with what to type."""
    by_name = {case["scenario"]: case["application_id"] for case in cases}
    first = cases[0]["application_id"]
    ui = urls["temporal_ui"]
    return [
        f"a case as staff follow it: {ui}/application%2F{by_name.get('exam-retake', first)}",
        f"every case that was refused, by search attribute: {ui}?query=CaseOutcome%3D%22ineligible%22",
        f"the API that portals and colleges use: {urls['openapi']}",
        f"the letters people got, in English and Spanish: {urls['mail']}",
        f"what the college and the bank saw: {home.path / 'parties'}, and the payment files: {home.exchange}",
    ]
