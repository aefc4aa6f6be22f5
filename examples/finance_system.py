"""The state's finance system and its bank: takes payment-voucher files, pays, returns some, confirms by file.

`python -m examples.finance_system --config FILE`; the file is JSON:
`{"exchange", "journal", "return_once": {"RET": "R03"}, "lose": ["LOST"]}`. An invoice number that begins with a key of
`return_once` comes back with that code the first time it is paid; one that begins with a word of `lose` is paid and its
confirmation lost. It reads the two layouts as documented (payment-voucher `CAIRNPV1`,
confirmation `CAIRNPC1`) and knows nothing else of Cairn.
"""

import argparse
import asyncio
import json
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from examples.days import today

POLL_SECONDS = 0.2
VOUCHER_COLUMNS = {"invoice_number": (22, 86), "amount_cents": (94, 104), "disbursement_id": (164, 194)}


@dataclass(frozen=True)
class Payment:
    """What this system needs of one detail line."""

    disbursement_id: str
    invoice_number: str
    amount_cents: int


def read_file(content: bytes) -> tuple[str, list[Payment]]:
    """Batch id and payments of a file; `ValueError` where its control totals disagree."""
    lines = content.decode("ascii").splitlines()
    header, details, trailer = lines[0], lines[1:-1], lines[-1]
    if header[1:9] != "CAIRNPV1" or trailer[0] != "T":
        raise ValueError("not a payment-voucher file")
    payments = [
        Payment(
            disbursement_id=line[slice(*VOUCHER_COLUMNS["disbursement_id"])].strip(),
            invoice_number=line[slice(*VOUCHER_COLUMNS["invoice_number"])].strip(),
            amount_cents=int(line[slice(*VOUCHER_COLUMNS["amount_cents"])]),
        )
        for line in details
    ]
    if int(trailer[1:7]) != len(payments) or int(trailer[7:22]) != sum(p.amount_cents for p in payments):
        raise ValueError("the control totals disagree")
    return header[9:39].strip(), payments


class FinanceSystem:
    """Pays each disbursement once, however often its file is seen, and keeps a journal of its own."""

    def __init__(self, config: dict[str, Any]) -> None:
        exchange = Path(config["exchange"])
        self._outbound, self._inbound = exchange / "outbound", exchange / "inbound"
        self._returns: dict[str, str] = config["return_once"]
        self._lose = tuple(config.get("lose", ()))
        self._journal = Path(config["journal"])
        self._confirmed: set[str] = set()
        self._returned_invoices: set[str] = set()
        self._paid: set[str] = set()

    def look(self) -> None:
        """Confirm every file that was not confirmed yet."""
        for path in sorted(self._outbound.glob("*.pvf")):
            if path.name not in self._confirmed:
                batch_id, payments = read_file(path.read_bytes())
                told = [(payment, self._pay(batch_id, payment)) for payment in payments]
                self._confirm(batch_id, [line for one, line in told if not one.invoice_number.startswith(self._lose)])
                self._confirmed.add(path.name)

    def _pay(self, batch_id: str, payment: Payment) -> str:
        code = next((c for start, c in self._returns.items() if payment.invoice_number.startswith(start)), "")
        comes_back = bool(code) and payment.invoice_number not in self._returned_invoices
        if comes_back:
            self._returned_invoices.add(payment.invoice_number)
        again = payment.disbursement_id in self._paid
        self._paid.add(payment.disbursement_id)
        status = "RETURNED" if comes_back else "PAID"
        self._write({"batch_id": batch_id, **payment.__dict__, "status": status, "again": again})
        number = f"{len(self._paid):08d}"
        day = f"{today():%Y%m%d}"
        line = f"D{payment.disbursement_id:<30}{'V' + number:<20}{'P' + number:<20}{day}{status:<8}"
        return line + (code if comes_back else "").ljust(3)

    def _confirm(self, batch_id: str, lines: list[str]) -> None:
        head = f"HCAIRNPC1{datetime.now(UTC).strftime('%Y%m%d%H%M%S')}"
        text = "".join(f"{line:<160}\n" for line in (head, *lines, f"T{len(lines):06d}"))
        target = self._inbound / f"{batch_id}.pcf"
        staged = target.with_suffix(".part")
        staged.write_bytes(text.encode("ascii"))
        staged.rename(target)

    def _write(self, line: dict[str, Any]) -> None:
        with self._journal.open("a") as file:
            file.write(json.dumps(line) + "\n")


async def serve(config: dict[str, Any]) -> None:
    """Look at the folder until told to stop."""
    system = FinanceSystem(config)
    asked = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, asked.set)
    print(json.dumps({"ready": True}), flush=True)
    while not asked.is_set():
        system.look()
        try:
            await asyncio.wait_for(asked.wait(), POLL_SECONDS)
        except TimeoutError:
            continue


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--config", type=Path, required=True)
    asyncio.run(serve(json.loads(arguments.parse_args().config.read_text())))
