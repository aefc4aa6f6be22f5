"""`cairn exam-vouchers`: take lots into stock, see what is left and what it is worth, reconcile vendors' reports."""

import asyncio
import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.preparation import settings
from cairn.exits import Exit
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.settings import PaymentsSettings

exam_vouchers = typer.Typer(help="The stock of exam vouchers.", no_args_is_help=True)

FILE_BYTES_MAX = 16 * 1024 * 1024
LINES_SHOWN_MAX = 50
DAY = "%Y-%m-%d"

ExamOption = Annotated[str | None, typer.Option("--exam", help="Only this exam.")]


def register(app: typer.Typer) -> None:
    app.add_typer(exam_vouchers, name="exam-vouchers")


def _payments() -> "PaymentsSettings":
    from services.payments.settings import PaymentsSettings

    return PaymentsSettings.model_validate(settings().model_dump())


@exam_vouchers.command("import")
def import_lot(
    file: Annotated[Path, typer.Argument(help="CSV with a column `code`.", exists=True, dir_okay=False)],
    exam: Annotated[str, typer.Option(help="The exam's id in the program pack.")],
    vendor: Annotated[str, typer.Option(help="Who sold them.")],
    order: Annotated[str, typer.Option(help="The order's number at the vendor.")],
    unit_cost_cents: Annotated[int, typer.Option(min=0, help="What one cost, in cents.")],
    expires: Annotated[
        datetime, typer.Option(formats=[DAY, "%Y-%m-%dT%H:%M:%S"], help="The last day, as the vendor counts it.")
    ],
    zone: Annotated[str, typer.Option(help="The vendor's time zone, in which days begin and end.")] = "UTC",
    retires: Annotated[
        datetime | None, typer.Option(formats=[DAY], help="The exam's last day, where the vendor withdraws it.")
    ] = None,
    region: Annotated[str, typer.Option(help="Where they may be used.")] = "US",
    as_json: JsonFlag = False,
) -> None:
    """Take a vendor's order into stock: all codes or none. A code that is in stock already refuses the lot."""
    from services.payments.main import import_exam_voucher_lot

    is_day = expires.time() == datetime.min.time()
    count = asyncio.run(
        import_exam_voucher_lot(
            _payments(),
            exam_id=exam,
            codes=_content(file),
            expires_on=expires.date() if is_day else None,
            expires_at=None if is_day else expires.replace(tzinfo=UTC),
            order_reference=order,
            unit_cost_cents=unit_cost_cents,
            vendor=vendor,
            region=region,
            expiry_zone=zone,
            retires_on=retires.date() if retires else None,
            imported_by=getpass.getuser(),
        )
    )
    answer(as_json, {"imported": count, "exam_id": exam}, f"{count} exam vouchers for {exam} are in stock.")


@exam_vouchers.command()
def stock(exam: ExamOption = None, as_json: JsonFlag = False) -> None:
    """What is left of each exam's codes, how long it lasts, and what will expire unused."""
    from contracts.money import dollars
    from services.payments.desk.exam_vouchers import exam_voucher_stock

    found = asyncio.run(exam_voucher_stock(_payments(), exam))
    rows: list[tuple[str, ...]] = [("exam", "in stock", "usable", "30 days", "lasts", "at risk", "worth")]
    for one in found["exams"]:
        lasts = "" if one["supply_days"] is None else f"{one['supply_days']} days"
        numbers = (str(one[name]) for name in ("available", "usable", "allocated_recently"))
        rows.append((one["exam_id"], *numbers, lasts, str(one["at_risk"]), dollars(one["at_risk_cents"])))
    answer(as_json, found, columns(rows))


@exam_vouchers.command()
def lots(exam: ExamOption = None, as_json: JsonFlag = False) -> None:
    """Every lot: what it cost, what became of its codes, when it expires, which budget bears it."""
    from contracts.money import dollars
    from services.payments.desk.exam_vouchers import exam_voucher_stock

    found = asyncio.run(exam_voucher_stock(_payments(), exam))["lots"]
    rows = [("lot", "exam", "codes", "cost", "expires", "charged to", "codes by state")]
    for lot in found:
        states = ", ".join(f"{name.replace('_', ' ')} {codes}" for name, codes in lot["states"].items())
        cost, charged = dollars(lot["cost_cents"]), lot["charged_to"] or "not these books"
        rows.append((lot["lot_id"], lot["exam_id"], str(lot["codes"]), cost, lot["expires_at"][:10], charged, states))
    answer(as_json, {"lots": found}, columns(rows))


@exam_vouchers.command()
def alerts(as_json: JsonFlag = False) -> None:
    """What staff were told: low stock, value at risk of expiry, codes that expired unused."""
    from contracts.money import dollars
    from services.payments.desk.exam_vouchers import exam_voucher_alerts

    found = asyncio.run(exam_voucher_alerts(_payments()))
    rows = [("exam", "alert", "codes", "worth", "since", "until")]
    for one in found:
        until = (one["ended_at"] or "")[:16]
        code = one["code"].replace("_", " ")
        rows.append((one["exam_id"], code, str(one["codes"]), dollars(one["cents"]), one["raised_at"][:16], until))
    answer(as_json, {"alerts": found}, columns(rows))


@exam_vouchers.command()
def reveals(
    case: Annotated[str | None, typer.Option(help="Only of this application.")] = None,
    voucher: Annotated[str | None, typer.Option(help="Only of this exam voucher.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only requests that were not answered.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Who asked to see a code, when, and what became of it, the newest first. No code is shown."""
    from services.payments.desk.exam_vouchers import reveal_attempts

    found = asyncio.run(reveal_attempts(_payments(), case, voucher, refused=refused))
    rows = [("when", "exam voucher", "application", "attempt", "who", "outcome")]
    for one in found:
        outcome, attempt = one["outcome"].replace("_", " "), str(one["attempt_number"])
        when = one["attempted_at"][:19]
        rows.append((when, one["exam_voucher_id"], one["application_id"], attempt, one["principal"], outcome))
    answer(as_json, {"requests": found}, columns(rows))


@exam_vouchers.command()
def reconcile(
    file: Annotated[Path, typer.Argument(help="The vendor's redemption report.", exists=True, dir_okay=False)],
    vendor: Annotated[str, typer.Option(help="Whose report it is; its format is in programs/exam-vendors.")],
    as_json: JsonFlag = False,
) -> None:
    """Import a vendor's report; every line ends. Exit code 1 where a line waits for a person. No code is shown."""
    from services.payments.desk.exam_vouchers import reconcile_redemptions

    done: dict[str, Any] = asyncio.run(
        reconcile_redemptions(
            _payments(), _content(file), vendor=vendor, file_name=file.name, read_by=getpass.getuser()
        )
    )
    print(json.dumps(done, default=str) if as_json else _reconciliation(done), flush=True)
    if not done["ok"]:
        raise typer.Exit(Exit.FAILED)


@exam_vouchers.command("open-lines")
def open_lines(
    vendor: Annotated[str | None, typer.Option(help="Only this vendor's.")] = None, as_json: JsonFlag = False
) -> None:
    """The lines of reports that wait for a person: unknown codes, contradictions, lines that cannot be read."""
    from services.payments.desk.exam_vouchers import open_redemption_lines

    found = asyncio.run(open_redemption_lines(_payments(), vendor))
    rows: list[tuple[str, ...]] = [("vendor", "file", "line", "ending", "reason", "explanation")]
    for line in found:
        named = (str(line[name]) for name in ("vendor", "file_name", "line_number", "ending", "reason", "explanation"))
        rows.append(tuple(named))
    answer(as_json, {"lines": found}, columns(rows))


@exam_vouchers.command()
def retire(
    exam: Annotated[str, typer.Option(help="The exam that the vendor withdraws.")],
    vendor: Annotated[str, typer.Option(help="Who withdraws it.")],
    on: Annotated[datetime, typer.Option(formats=[DAY], help="The last day on which it is given.")],
    as_json: JsonFlag = False,
) -> None:
    """No code of the exam is usable after its last day, whatever its lot says."""
    from services.payments.desk.exam_vouchers import retire_exam_of_vendor

    changed = asyncio.run(retire_exam_of_vendor(_payments(), vendor, exam, on.date()))
    answer(as_json, {"changed": changed}, f"{changed} exam vouchers for {exam} are usable until {on:%Y-%m-%d} only.")


def _content(file: Path) -> bytes:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise typer.BadParameter(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    return file.read_bytes()


def _reconciliation(done: dict[str, Any]) -> str:
    from contracts.money import dollars

    endings = ("applied", "repeated", "unknown_code", "contradiction", "unreadable")
    counts = ", ".join(f"{done[ending]} {ending.replace('_', ' ')}" for ending in endings)
    before = " It was read before: nothing changed." if done["read_before"] else ""
    parts = [f"{done['lines']} lines: {counts}.{before}"]
    waiting = done["for_a_person"]
    if waiting:
        rows = [("line", "ending", "reason", "explanation")]
        rows += [
            (str(one["number"]), one["ending"], one["reason"], one["explanation"]) for one in waiting[:LINES_SHOWN_MAX]
        ]
        parts += ["", "For a person:", columns(rows)]
    if done["lots"]:
        rows = [("lot", "codes", "cost", "codes by state")]
        for lot in done["lots"]:
            states = ", ".join(f"{name.replace('_', ' ')} {codes}" for name, codes in lot["states"].items())
            rows.append((lot["lot_id"], str(lot["codes"]), dollars(lot["cost_cents"]), states))
        parts += ["", "The lots it names:", columns(rows)]
    return "\n".join(parts)
