"""The two files exchanged with the state's finance system, as fixed columns of printable ASCII.

Lines end with a line feed. Text is left-justified and padded with spaces, numbers are right-justified and padded with
zeros, days are `YYYYMMDD`, amounts are US cents. Every file is a header, details, a trailer with control totals.

**Payment-voucher file**, out, `outbound/<batch id>.pvf`, 320 characters a line:

| H | columns | D | columns | T | columns |
|---|---|---|---|---|---|
| record type `H` | 1 | record type `D` | 1 | record type `T` | 1 |
| layout `CAIRNPV1` | 2-9 | line number from 1 | 2-7 | details | 2-7 |
| batch id | 10-39 | business unit | 8-12 | total cents | 8-22 |
| made at, UTC, `YYYYMMDDhhmmss` | 40-53 | supplier number | 13-22 | sum of supplier numbers mod 10^10 | 23-32 |
| business unit | 54-58 | invoice number | 23-86 | batch id | 33-62 |
| | | invoice day | 87-94 | | |
| | | amount | 95-104 | | |
| | | account coding | 105-134 | | |
| | | encumbrance: application id | 135-164 | | |
| | | payment: disbursement id | 165-194 | | |
| | | message | 195-264 | | |
| | | due day | 265-272 | | |
| | | supplier's location | 273-292 | | |

Which columns there are, in which order and form, is data: `cairnpv1.toml` holds the layout above, and a finance system
with another is served by another file (`CAIRN_PAYMENT_VOUCHER_LAYOUT`).

**Confirmation file**, in, `inbound/<any name>.pcf`, 160 characters a line:

| H | columns | D | columns | T | columns |
|---|---|---|---|---|---|
| record type `H` | 1 | record type `D` | 1 | record type `T` | 1 |
| layout `CAIRNPC1` | 2-9 | disbursement id | 2-31 | details | 2-7 |
| made at, UTC | 10-23 | voucher id | 32-51 | | |
| | | payment number | 52-71 | | |
| | | day paid or returned | 72-79 | | |
| | | status `PAID` or `RETURNED` | 80-87 | | |
| | | return code (`R02`), blank when paid | 88-90 | | |

The finance system writes a confirmation under another name and renames it to `.pcf`, so that half a file is never read.
"""

from services.payments.remittance.columns import Field, Layout, LineFaulty
from services.payments.remittance.confirmations import (
    CONFIRMATION_SUFFIX,
    Confirmation,
    ConfirmationFile,
    RejectedLine,
    read_confirmations,
    write_confirmations,
)
from services.payments.remittance.interface import STANDARD, Interface, interface_from
from services.payments.remittance.vouchers import (
    VOUCHER_SUFFIX,
    FileFaulty,
    PaymentVoucher,
    VoucherFile,
    VoucherVerdict,
    judge_vouchers,
    read_vouchers,
    write_vouchers,
)

__all__ = [
    "CONFIRMATION_SUFFIX",
    "STANDARD",
    "VOUCHER_SUFFIX",
    "Confirmation",
    "ConfirmationFile",
    "Field",
    "FileFaulty",
    "Interface",
    "Layout",
    "LineFaulty",
    "PaymentVoucher",
    "RejectedLine",
    "VoucherFile",
    "VoucherVerdict",
    "interface_from",
    "judge_vouchers",
    "read_confirmations",
    "read_vouchers",
    "write_confirmations",
    "write_vouchers",
]
