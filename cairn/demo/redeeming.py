"""After the cases: the exam vendor's report of what became of its codes, imported and reconciled to the lots."""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cairn.demo.cast import EXAM_VENDOR, Cast
from cairn.demo.director import Case
from cairn.exits import Fault
from cairn.stack.layout import ROOT
from cairn.stack.parent import tied
from contracts.ids import ExamVoucherId
from examples.doors import Doors
from examples.exam_vendor import lot_file, new_codes
from examples.portal import Portal

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

VENDOR_SECONDS_MAX = 60.0
ENDINGS = ("applied", "repeated", "unknown_code", "contradiction", "unreadable")


class VendorFailed(Fault):
    """The exam vendor of the demo did not write its report."""

    code = "vendor_failed"


async def redeem(
    settings: "ProcessSettings", api: str, cast: Cast, cases: Sequence[Case], folder: Path
) -> dict[str, Any]:
    """Have the vendor report every exam taken, one line twice, a stranger's code and a code nobody was given."""
    from services.payments.desk.exam_vouchers import reconcile_redemptions
    from services.payments.settings import PaymentsSettings

    given = await _given(api, cast, cases)
    content = await _report(folder, cast, given)
    payments = PaymentsSettings.model_validate(settings.model_dump())
    done = await reconcile_redemptions(
        payments, content, vendor=EXAM_VENDOR, file_name="redemptions.csv", read_by="demo"
    )
    again = await reconcile_redemptions(
        payments, content, vendor=EXAM_VENDOR, file_name="redemptions.csv", read_by="demo"
    )
    expected = {"applied": len(given), "repeated": 1, "unknown_code": 1, "contradiction": 1, "unreadable": 0}
    return {
        "ok": {ending: done[ending] for ending in ENDINGS} == expected and again["read_before"],
        **{name: done[name] for name in ("lines", *ENDINGS)},
        "lots": [{name: lot[name] for name in ("lot_id", "codes", "cost_cents", "states")} for lot in done["lots"]],
    }


async def _given(api: str, cast: Cast, cases: Sequence[Case]) -> list[str]:
    """The codes that people used: what each was given as the portal reads it, and what the vendor sold under it."""
    doors = Doors(api, cast.portal_key)
    portal = Portal(doors)
    try:
        told = [entry for case in cases if case.application_id for entry in await portal.timeline(case.application_id)]
    finally:
        await doors.close()
    sold = cast.exam_codes()
    return [
        sold[ExamVoucherId(entry["details"]["exam_voucher_id"])]
        for entry in told
        if entry["type"].endswith("exam_voucher.issued.v1")
    ]


async def _report(folder: Path, cast: Cast, given: Sequence[str]) -> bytes:
    """The file of the vendor's own program."""
    exam_id, codes = next(iter(cast.exam_lots.items()))
    at = datetime.now(UTC) + timedelta(minutes=5)
    names = {code: name.removesuffix("-exam") for name, some in cast.exam_lots.items() for code in some}
    story = [{"code": code, "status": "delivered", "at": at.isoformat(), "exam": names[code]} for code in given]
    unsold = next(code for code in reversed(codes) if code not in given)
    for code in (unsold, *new_codes(1)):
        story.append({"code": code, "status": "delivered", "at": at.isoformat(), "exam": exam_id.removesuffix("-exam")})
    paths = {name: folder / f"exam_vendor_{name}" for name in ("lot.csv", "story.json", "report.csv")}
    for path, content in ((paths["lot.csv"], lot_file(codes)), (paths["story.json"], json.dumps(story).encode())):
        path.touch(mode=0o600)
        path.write_bytes(content)
    vendor = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.exam_vendor", "report", "--lot", str(paths["lot.csv"]), "--story",
        str(paths["story.json"]), "--out", str(paths["report.csv"]), "--repeat", "1",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, cwd=ROOT, preexec_fn=tied(),
    )  # fmt: skip
    _, errors = await asyncio.wait_for(vendor.communicate(), VENDOR_SECONDS_MAX)
    if vendor.returncode != 0:
        raise VendorFailed(errors.decode(errors="replace")[-2000:])
    return paths["report.csv"].read_bytes()
