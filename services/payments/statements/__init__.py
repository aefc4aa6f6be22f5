"""Bank statements: BAI2 and ISO 20022 camt.053 read into one kind of line.

What a file proves is kept, what it does not prove is left out and named: an account whose control totals or balances
do not agree gives no lines, and costs no other account. A line's id is derived from what the bank says about the
movement, so that a statement read again brings nothing new. Account numbers end here: a line carries the last four
digits.
"""

from codecs import BOM_UTF8

from services.payments.statements.bai2 import read_bai2
from services.payments.statements.bai2_writing import WrittenAccount, WrittenLine, write_bai2
from services.payments.statements.camt053 import read_camt053
from services.payments.statements.lines import (
    FAULTS_MAX,
    FILE_BYTES_MAX,
    LINES_MAX,
    Kind,
    StatementAccount,
    StatementFault,
    StatementFile,
    StatementLine,
    StatementLineId,
)

STATEMENT_SUFFIXES = (".bai2", ".bai", ".camt053", ".xml")
"""How a bank names its statements in the inbound folder."""

__all__ = [
    "FAULTS_MAX",
    "FILE_BYTES_MAX",
    "LINES_MAX",
    "STATEMENT_SUFFIXES",
    "Kind",
    "StatementAccount",
    "StatementFault",
    "StatementFile",
    "StatementLine",
    "StatementLineId",
    "WrittenAccount",
    "WrittenLine",
    "read_bai2",
    "read_camt053",
    "read_statement",
    "write_bai2",
]


def read_statement(content: bytes) -> StatementFile:
    """The statement, whichever of the two it is; what is neither is a file with one fault."""
    start = content[:1024].removeprefix(BOM_UTF8).lstrip()
    if start.startswith(b"01,"):
        return read_bai2(content)
    if start.startswith(b"<"):
        return read_camt053(content)
    fault = StatementFault(0, "file", "format", "neither BAI2 (begins with 01,) nor camt.053 (begins with <)")
    return StatementFile("unknown", (), (fault,), 0)
