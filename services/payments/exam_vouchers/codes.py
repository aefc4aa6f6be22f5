"""Exam codes at rest: sealed under a key of their own, found again by a keyed digest; lots as CSV."""

import csv
import io
import re
from collections.abc import Sequence

from contracts.ids import ExamVoucherId
from kit import crypto
from services.payments.domain import LotUnreadable

CODES_MAX = 50_000
CODE_COLUMN = "code"
_CODE = re.compile(r"^[\x21-\x7e]{4,128}$")
_KEY_VERSION = 1


class ExamCodes:
    """Seals codes and tells whether two are the same. The key opens every code: it is a secret of payments alone."""

    def __init__(self, key: bytes) -> None:
        # Two keys from one secret: who may compare codes need not be able to open them.
        self._sealing = crypto.keyed_digest(key, "exam code sealing")
        self._matching = crypto.keyed_digest(key, "exam code matching")
        self._matching_of_vendor = crypto.keyed_digest(key, "exam code matching within a vendor")

    def seal(self, exam_voucher_id: ExamVoucherId, code: str) -> bytes:
        return crypto.encrypt(self._sealing, code.encode(), context=_context(exam_voucher_id), version=_KEY_VERSION)

    def open(self, exam_voucher_id: ExamVoucherId, sealed: bytes) -> str:
        return crypto.decrypt({_KEY_VERSION: self._sealing}, sealed, context=_context(exam_voucher_id)).decode()

    def mac(self, exam_id: str, code: str) -> bytes:
        """The same for the same code of the same exam, and telling nothing else."""
        return crypto.keyed_digest(self._matching, exam_id, code)

    def vendor_mac(self, vendor: str, code: str) -> bytes:
        """The same for the same code of the same vendor, whatever exam it was sold for: it is redeemed once."""
        return crypto.keyed_digest(self._matching_of_vendor, vendor, code)


def read_lot(content: bytes) -> list[str]:
    """The codes of a vendor's CSV file with a column `code`; `LotUnreadable` names the line, never the code."""
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        if CODE_COLUMN not in (rows.fieldnames or ()):
            raise LotUnreadable(why="there is no column `code`")
        codes = [(row[CODE_COLUMN] or "").strip() for row in rows]
    except (UnicodeDecodeError, csv.Error):
        raise LotUnreadable(why="it is not CSV in UTF-8") from None
    check_codes(codes)
    return codes


def check_codes(codes: Sequence[str]) -> None:
    """`LotUnreadable` where a code is none, or comes twice, or there are none or too many."""
    if not 0 < len(codes) <= CODES_MAX:
        raise LotUnreadable(why=f"{len(codes)} codes; between 1 and {CODES_MAX} are taken at once")
    seen: dict[str, int] = {}
    for number, code in enumerate(codes, 1):
        if _CODE.match(code) is None:
            raise LotUnreadable(why=f"code {number} is not 4 to 128 visible characters")
        if code in seen:
            raise LotUnreadable(why=f"code {number} is the same as code {seen[code]}")
        seen[code] = number


def _context(exam_voucher_id: ExamVoucherId) -> str:
    return f"exam_voucher|sealed_code|{exam_voucher_id}"
