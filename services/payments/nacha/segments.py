# pyright: strict
"""Remittance in addenda: the one X12 segment of CCD+ and PPD+, and the X12 820 that a CTX entry carries."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

ADDENDUM_WIDTH = 80
TERMINATOR = "\\"
_FREE = re.compile(r"[\x20-\x7e]+")
_DELIMITERS = frozenset("*\\>~^:")
INVOICE_LENGTH_MAX = 50


class SegmentFaulty(ValueError):
    """Text that a segment cannot carry."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice of a payment and what of the payment is for it."""

    number: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Remittance:
    """What an 820 says besides the invoices. `reference` names the payment at the payer."""

    payer_name: str
    payer_id: str
    payee_name: str
    reference: str
    made_at: datetime
    effective: str
    control: int


def invoice_segment(invoice: Invoice) -> str:
    """`RMR*IV*number**amount\\`: an open item, the seller's invoice number, the amount paid."""
    segment = f"RMR*IV*{_element(invoice.number, INVOICE_LENGTH_MAX)}**{_amount(invoice.amount_cents)}{TERMINATOR}"
    if len(segment) > ADDENDUM_WIDTH:
        raise SegmentFaulty(f"{segment!r} does not fit in {ADDENDUM_WIDTH} characters")
    return segment


def remittance_820(about: Remittance, invoices: Sequence[Invoice]) -> str:
    """One interchange with one payment order/remittance advice, version 004010."""
    payer, control = _element(about.payer_id, 15), f"{about.control:09d}"
    total = _amount(sum(one.amount_cents for one in invoices))
    transaction = [
        "ST*820*0001",
        f"BPR*C*{total}*C*ACH*CTX*****{payer}******20{about.effective}",
        f"TRN*1*{_element(about.reference, 30)}*{payer}",
        f"N1*PR*{_element(about.payer_name, 60)}",
        f"N1*PE*{_element(about.payee_name, 60)}",
        "ENT*1",
        *(invoice_segment(one).removesuffix(TERMINATOR) for one in invoices),
    ]
    segments = [
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{payer:15}*ZZ*{'RECEIVER':15}"
        f"*{about.made_at:%y%m%d*%H%M}*U*00401*{control}*0*P*>",
        f"GS*RA*{payer}*RECEIVER*{about.made_at:%Y%m%d*%H%M}*{about.control}*X*004010",
        *transaction,
        f"SE*{len(transaction) + 1}*0001",
        f"GE*1*{about.control}",
        f"IEA*1*{control}",
    ]
    return "".join(segment + TERMINATOR for segment in segments)


def in_addenda(text: str) -> tuple[str, ...]:
    """Text over as many addenda as it needs, cut without regard to segments, as the rules have it."""
    return tuple(text[at : at + ADDENDUM_WIDTH].rstrip(" ") for at in range(0, len(text), ADDENDUM_WIDTH))


def from_addenda(addenda: Iterable[str]) -> str:
    """The text that was cut into addenda."""
    return "".join(one.ljust(ADDENDUM_WIDTH) for one in addenda).rstrip(" ")


def invoices_of(text: str) -> tuple[Invoice, ...]:
    """The invoices that the remittance segments of a text name; other segments are passed over."""
    found: list[Invoice] = []
    for segment in text.split(TERMINATOR):
        elements = segment.strip().split("*")
        if elements[0] == "RMR" and len(elements) > 4 and elements[1] == "IV":
            found.append(Invoice(elements[2], _cents(elements[4])))
    return tuple(found)


def _element(text: str, length_max: int) -> str:
    if _FREE.fullmatch(text) is None or _DELIMITERS & set(text):
        raise SegmentFaulty(f"{text!r} holds a delimiter, or is empty or not printable ASCII")
    if len(text) > length_max:
        raise SegmentFaulty(f"{text!r} is longer than {length_max} characters")
    return text


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _cents(text: str) -> int:
    found = re.fullmatch(r"([0-9]*)(?:\.([0-9]{1,2}))?", text)
    if found is None or not text:
        raise SegmentFaulty(f"{text!r} is no amount")
    return 100 * int(found[1] or 0) + int((found[2] or "0").ljust(2, "0"))
