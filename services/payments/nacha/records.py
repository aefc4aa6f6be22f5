# pyright: strict
"""The records of an ACH file, field by field, under the names of the Nacha Operating Rules, Appendix Three."""

from services.payments.nacha.changes import REFUSALS
from services.payments.nacha.fields import DAY, Field, Layout, constant, digits, matching, named, number, text
from services.payments.nacha.returns import CONTESTED, DISHONORED

FILLER = "9" * 94
BLOCKING_FACTOR = 10


def _file_header(destination: Field) -> Layout:
    return Layout(
        "file header",
        constant("Record Type Code", "1"),
        constant("Priority Code", "01"),
        destination,
        matching("Immediate Origin", 10, r"[\x20-\x7e]{9}[\x21-\x7e]", "ten columns, right-justified"),
        matching("File Creation Date", 6, DAY, "a day as YYMMDD"),
        matching("File Creation Time", 4, "(?:[01][0-9]|2[0-3])[0-5][0-9]| {4}", "a time as HHMM, or blanks"),
        matching("File ID Modifier", 1, "[A-Z0-9]", "A-Z or 0-9"),
        constant("Record Size", "094"),
        constant("Blocking Factor", "10"),
        constant("Format Code", "1"),
        text("Immediate Destination Name", 23),
        text("Immediate Origin Name", 23),
        text("Reference Code", 8),
    )


FILE_HEADER = _file_header(matching("Immediate Destination", 10, " [0-9]{9}", "a blank and a routing number"))
RECEIVED_FILE_HEADER = _file_header(
    matching("Immediate Destination", 10, " [0-9]{9}|[0-9A-Z]{10}", "a blank and a routing number, or ten characters")
)
"""As a bank writes it that returns a file to its originator: the destination may be the originator's own number."""

BATCH_HEADER = Layout(
    "company/batch header",
    constant("Record Type Code", "5"),
    matching("Service Class Code", 3, "200|220|225", "200, 220 or 225"),
    named("Company Name", 16),
    text("Company Discretionary Data", 20),
    named("Company Identification", 10),
    matching("Standard Entry Class Code", 3, "[A-Z]{3}", "three capital letters"),
    named("Company Entry Description", 10),
    text("Company Descriptive Date", 6),
    matching("Effective Entry Date", 6, f"{DAY}| {{6}}|000000", "a day as YYMMDD"),
    matching("Settlement Date", 3, " {3}|[0-2][0-9]{2}|3[0-5][0-9]|36[0-6]", "a day of the year, or blanks"),
    # 0 belongs to an operator's own advices, yet senders in the wild put it into every batch and no one returns it.
    matching("Originator Status Code", 1, "[012]", "1, or 2 for the federal government"),
    digits("Originating DFI Identification", 8),
    number("Batch Number", 7),
)


OTHER_BATCH_HEADER = Layout(
    "company/batch header",
    constant("Record Type Code", "5"),
    matching("Service Class Code", 3, "200|220|225", "200, 220 or 225"),
    text("Columns of the Class", 36),
    named("Company Identification", 10),
    matching("Standard Entry Class Code", 3, "[A-Z]{3}", "three capital letters"),
    text("Columns of the Class", 26),
    digits("Originating DFI Identification", 8),
    number("Batch Number", 7),
)
"""Of a class that is not read, international entries among them: what its control record repeats."""


def _receiver(identification: str, amount: str) -> tuple[Field, ...]:
    """The columns with which every entry begins: what, to which bank and account, how much, for whom."""
    return (
        constant("Record Type Code", "6"),
        digits("Transaction Code", 2),
        digits("Receiving DFI Identification", 8),
        digits("Check Digit", 1),
        named("DFI Account Number", 17),
        number(amount, 10),
        text(identification, 15),
    )


_END = (
    text("Discretionary Data", 2),
    matching("Addenda Record Indicator", 1, "[01]", "0 or 1"),
    digits("Trace Number", 15),
)


def _entry(identification: str, name: str) -> Layout:
    return Layout("entry detail", *_receiver(identification, "Amount"), text(name, 22), *_END)


def _corporate_entry(identification: str, amount: str) -> Layout:
    counted = (
        number("Number of Addenda Records", 4),
        text("Receiving Company Name", 16),
        constant("Reserved", "  "),
    )
    return Layout("entry detail", *_receiver(identification, amount), *counted, *_END)


ENTRIES: dict[str, Layout] = {
    "CCD": _entry("Identification Number", "Receiving Company Name"),
    "PPD": _entry("Individual Identification Number", "Individual Name"),
    "CTX": _corporate_entry("Identification Number", "Total Amount"),
    "COR": _entry("Individual Identification Number", "Individual Name"),
    "ACK": _entry("Original Entry Trace Number", "Receiving Company Name"),
    "ATX": _corporate_entry("Original Entry Trace Number", "Total Amount"),
}
"""By standard entry class; of a batch of another class nothing but its sums is read."""
OTHER_ENTRY = Layout(
    "entry detail",
    constant("Record Type Code", "6"),
    digits("Transaction Code", 2),
    digits("Receiving DFI Identification", 8),
    digits("Check Digit", 1),
    text("Columns of the Class", 17),
    number("Amount", 10),
    text("Columns of the Class", 39),
    *_END[1:],
)
"""What the entries of every class have in common, international ones too."""

COUNTED = frozenset({"CTX", "ATX"})
"""Classes whose entry carries the number of its addenda."""

ADDENDA_05 = Layout(
    "addenda",
    constant("Record Type Code", "7"),
    constant("Addenda Type Code", "05"),
    text("Payment Related Information", 80),
    number("Addenda Sequence Number", 4),
    digits("Entry Detail Sequence Number", 7),
)

ADDENDA_98 = Layout(
    "notification of change addenda",
    constant("Record Type Code", "7"),
    constant("Addenda Type Code", "98"),
    matching("Change Code", 3, "C[0-9]{2}", "C and two digits"),
    digits("Original Entry Trace Number", 15),
    constant("Reserved", " " * 6),
    digits("Original Receiving DFI Identification", 8),
    text("Corrected Data", 29),
    constant("Reserved", " " * 15),
    digits("Trace Number", 15),
)

ADDENDA_99 = Layout(
    "return addenda",
    constant("Record Type Code", "7"),
    constant("Addenda Type Code", "99"),
    matching("Return Reason Code", 3, "R[0-9]{2}", "R and two digits"),
    digits("Original Entry Trace Number", 15),
    matching("Date of Death", 6, f"{DAY}| {{6}}", "a day as YYMMDD, or blanks"),
    digits("Original Receiving DFI Identification", 8),
    text("Addenda Information", 44),
    digits("Trace Number", 15),
)

ADDENDA_98_REFUSED = Layout(
    "refused notification of change addenda",
    constant("Record Type Code", "7"),
    constant("Addenda Type Code", "98"),
    matching("Refused Change Code", 3, "C6[1-9]", "C61 to C69"),
    digits("Original Entry Trace Number", 15),
    constant("Reserved", " " * 6),
    digits("Original Receiving DFI Identification", 8),
    text("Corrected Data", 29),
    matching("Change Code", 3, "C[0-9]{2}", "C and two digits"),
    digits("Trace Sequence Number", 7),
    constant("Reserved", " " * 5),
    digits("Trace Number", 15),
)

_JULIAN = "[0-9]{3}| {3}"
ADDENDA_99_DISHONORED = Layout(
    "dishonored return addenda",
    constant("Record Type Code", "7"),
    constant("Addenda Type Code", "99"),
    matching("Dishonored Return Reason Code", 3, "R6[1-9]|R70", "R61 to R70"),
    digits("Original Entry Trace Number", 15),
    constant("Reserved", " " * 6),
    digits("Original Receiving DFI Identification", 8),
    constant("Reserved", " " * 3),
    digits("Return Trace Number", 15),
    matching("Return Settlement Date", 3, _JULIAN, "a day of the year, or blanks"),
    digits("Return Reason Code", 2),
    text("Addenda Information", 21),
    digits("Trace Number", 15),
)

ADDENDA_99_CONTESTED = Layout(
    "contested dishonored return addenda",
    constant("Record Type Code", "7"),
    constant("Addenda Type Code", "99"),
    matching("Contested Dishonored Return Reason Code", 3, "R7[1-7]", "R71 to R77"),
    digits("Original Entry Trace Number", 15),
    matching("Date Original Entry Returned", 6, f"{DAY}| {{6}}", "a day as YYMMDD, or blanks"),
    digits("Original Receiving DFI Identification", 8),
    matching("Original Settlement Date", 3, _JULIAN, "a day of the year, or blanks"),
    digits("Return Trace Number", 15),
    matching("Return Settlement Date", 3, _JULIAN, "a day of the year, or blanks"),
    digits("Return Reason Code", 2),
    digits("Dishonored Return Trace Number", 15),
    matching("Dishonored Return Settlement Date", 3, _JULIAN, "a day of the year, or blanks"),
    digits("Dishonored Return Reason Code", 2),
    constant("Reserved", " "),
    digits("Trace Number", 15),
)

_ADDENDA = {"05": ADDENDA_05, "98": ADDENDA_98, "99": ADDENDA_99}
_OF_CODE = dict.fromkeys(REFUSALS, ADDENDA_98_REFUSED) | {
    code: ADDENDA_99_DISHONORED if code in DISHONORED else ADDENDA_99_CONTESTED for code in DISHONORED | CONTESTED
}


def addenda_layout(kind: str, code: str) -> Layout | None:
    """The layout of an addenda record by its type and, in 98 and 99, its reason code; None for an unknown type."""
    plain = _ADDENDA.get(kind)
    own = _OF_CODE.get(code)
    return own if own is not None and plain is not None and own.fields[1].text == kind else plain


BATCH_CONTROL = Layout(
    "company/batch control",
    constant("Record Type Code", "8"),
    digits("Service Class Code", 3),
    number("Entry/Addenda Count", 6),
    number("Entry Hash", 10),
    number("Total Debit Entry Dollar Amount", 12),
    number("Total Credit Entry Dollar Amount", 12),
    named("Company Identification", 10),
    text("Message Authentication Code", 19),
    constant("Reserved", " " * 6),
    digits("Originating DFI Identification", 8),
    number("Batch Number", 7),
)

FILE_CONTROL = Layout(
    "file control",
    constant("Record Type Code", "9"),
    number("Batch Count", 6),
    number("Block Count", 6),
    number("Entry/Addenda Count", 8),
    number("Entry Hash", 10),
    number("Total Debit Entry Dollar Amount in File", 12),
    number("Total Credit Entry Dollar Amount in File", 12),
    constant("Reserved", " " * 39),
)

UNREADABLE = Layout("record", Field("Record", 94, r"[\x20-\x7e]{94}", "94 printable columns", "%-94s"))
TITLES = {"1": "file header", "5": "company/batch header", "6": "entry detail", "7": "addenda",
          "8": "company/batch control", "9": "file control"}  # fmt: skip
