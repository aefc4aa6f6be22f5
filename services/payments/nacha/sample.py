# pyright: strict
"""Payments that nobody made, for trying out and for measuring; the same number always gives the same."""

import random
from collections.abc import Iterator

from services.payments.nacha.payments import Payment
from services.payments.nacha.routing import check_digit
from services.payments.nacha.segments import Invoice
from services.payments.nacha.transactions import EntryClass

SEED = 1913
PRENOTE_EVERY = 25
INVOICES_MAX = 12
_DISTRICTS = ("0410", "0412", "0420", "0422", "0440", "2410", "2422")
_COLLEGES = ("LORAIN COLLEGE", "ASHLAND CAREER", "BUTLER TECH", "CLARK STATE", "EDISON STATE", "MIAMI VALLEY")
_PERSONS = ("A. SAMPLE", "B. SAMPLE", "C. SAMPLE", "D. SAMPLE")


def sample_payments(count: int, entry_class: EntryClass) -> Iterator[Payment]:
    """`count` payments; every 25th is a prenote, where the class is not CTX."""
    choose = random.Random(SEED)  # noqa: S311 - nothing secret hangs on it
    for number in range(1, count + 1):
        institution = f"{choose.choice(_DISTRICTS)}{choose.randrange(10_000):04d}"
        is_prenote = entry_class is not EntryClass.CTX and number % PRENOTE_EVERY == 0
        parts = [choose.randrange(1_000, 300_000) for _ in range(_invoices(entry_class, choose))]
        names = _PERSONS if entry_class is EntryClass.PPD else _COLLEGES
        yield Payment(
            payee_name=choose.choice(names),
            routing_number=f"{institution}{check_digit(institution)}",
            account_number=f"{choose.randrange(10**9, 10**10)}",
            account_type=choose.choice(("checking", "checking", "checking", "savings")),
            amount_cents=0 if is_prenote else sum(parts),
            identification=f"PAYEE{number:07d}",
            invoices=() if is_prenote else tuple(Invoice(f"INV-{number}-{n}", c) for n, c in enumerate(parts, 1)),
            kind="prenote" if is_prenote else "payment",
        )


def _invoices(entry_class: EntryClass, choose: random.Random) -> int:
    return choose.randint(1, INVOICES_MAX) if entry_class is EntryClass.CTX else 1
