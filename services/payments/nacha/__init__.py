# pyright: strict
"""ACH files after the Nacha Operating Rules: 94 columns a record, blocks of ten, nothing here opens a file or a socket.

Written are CCD and CCD+ (one X12 segment in one addendum), CTX (an X12 820 over up to 9,999 addenda), PPD and PPD+,
prenotes, and reversals in batches of their own; `FileWriter` takes entries as they come and keeps none of them.

Read are these, returns (addenda 99), notifications of change (addenda 98, class COR) and acknowledgments (ACK, ATX).
`FileReader` checks every field, count, hash, total, trace and sequence number and says where the first fault is; what
it yields is to be used only when the verdict at the end says that the file is valid. Not read: international entries
(IAT), the columns that dishonored and contested returns have of their own, refused notifications (C61 and above).
"""

from services.payments.line_faults import LineFault
from services.payments.nacha.changes import CHANGE_REASONS, ChangeReason, Correction, corrected_data, correction
from services.payments.nacha.faults import Fault
from services.payments.nacha.fields import RecordMisfit
from services.payments.nacha.model import (
    BatchHeader,
    ChangeAddendum,
    Dispute,
    Entry,
    FileHeader,
    ReturnAddendum,
    Sums,
)
from services.payments.nacha.originator import SAMPLE_ORIGINATOR, Originator, originator_from
from services.payments.nacha.payments import COLUMNS, Payment, PaymentLines
from services.payments.nacha.planning import FilePlan, PlanRefused
from services.payments.nacha.reader import FileReader, Found, Verdict
from services.payments.nacha.returns import RETURN_REASONS, Requires, ReturnReason
from services.payments.nacha.routing import check_digit, is_routing_number
from services.payments.nacha.sample import sample_payments
from services.payments.nacha.segments import Invoice, from_addenda, in_addenda, invoice_segment, invoices_of
from services.payments.nacha.transactions import EntryClass, ServiceClass
from services.payments.nacha.writer import FileWriter, NotWritten, file_bytes

__all__ = [
    "CHANGE_REASONS",
    "COLUMNS",
    "RETURN_REASONS",
    "SAMPLE_ORIGINATOR",
    "BatchHeader",
    "ChangeAddendum",
    "ChangeReason",
    "Correction",
    "Dispute",
    "Entry",
    "EntryClass",
    "Fault",
    "FileHeader",
    "FilePlan",
    "FileReader",
    "FileWriter",
    "Found",
    "Invoice",
    "LineFault",
    "NotWritten",
    "Originator",
    "Payment",
    "PaymentLines",
    "PlanRefused",
    "RecordMisfit",
    "Requires",
    "ReturnAddendum",
    "ReturnReason",
    "ServiceClass",
    "Sums",
    "Verdict",
    "check_digit",
    "corrected_data",
    "correction",
    "file_bytes",
    "from_addenda",
    "in_addenda",
    "invoice_segment",
    "invoices_of",
    "is_routing_number",
    "originator_from",
    "sample_payments",
]
