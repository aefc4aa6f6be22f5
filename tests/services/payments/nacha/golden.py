"""What the golden files say, typed out as entries; the files themselves were written by hand from the rules."""

from datetime import date
from pathlib import Path

from services.payments.nacha import BatchHeader, ChangeAddendum, Entry, FileHeader, ReturnAddendum, ServiceClass

FOLDER = Path(__file__).with_name("golden")
ODFI = "076401251"
COMPANY = "STATE OF EXAMPLE"
MAR_10, MAR_13 = date(2026, 3, 10), date(2026, 3, 13)


def batch(entry_class: str, number: int, **given) -> BatchHeader:
    common = {
        "service_class": ServiceClass.CREDITS,
        "company_name": COMPANY,
        "company_id": "1311234567",
        "description": "EDU PAYMT",
        "effective": "260311",
        "odfi": "07640125",
    }
    return BatchHeader(entry_class=entry_class, number=number, **(common | given))


def out(day: date, at: str, **given) -> FileHeader:
    return FileHeader(**({"destination": ODFI, "origin": ODFI, "created_on": day, "created_at": at} | given))


def back() -> FileHeader:
    names = {"destination_name": COMPANY, "origin_name": "FED"}
    return out(MAR_13, "0600", origin="041099999", **names)


NAMES = {"destination_name": "OHIO TEST BANK", "origin_name": COMPANY}
A_SAMPLE = ("242077778", "4433221", 4500, "A. SAMPLE")
B_SAMPLE = ("041099999", "8877", 100, "B. SAMPLE", "ID-7")

FILES = {
    "ccd": (
        out(MAR_10, "1504", **NAMES),
        [
            (
                batch("CCD", 1),
                [
                    Entry(22, "041099999", "00123456789", 123456, "LORAIN COLLEGE", "SUP-0001",
                          ("RMR*IV*INV-2026-001**1234.56\\",), "", "076401250000001"),
                    Entry(23, "242077778", "55-443", 0, "MIAMI VALLEY SCHOOL", "SUP-0002", (), "", "076401250000002"),
                ],
            )
        ],
    ),
    "ctx": (
        out(MAR_10, "1504", origin="1311234567", id_modifier="Z", reference="REF-0042", **NAMES),
        [
            (
                batch("CTX", 7, discretionary="FUND 7", description="TRADE PAY", descriptive_date="MAR 10"),
                [
                    Entry(32, "041099999", "1234567", 300000, "LORAIN COLLEGE", "SUP-0001",
                          (
                              "ST*820*0001\\BPR*C*3000.00*C*ACH*CTX\\TRN*1*77\\ENT*1\\RMR*IV*A-1**1000.00\\RMR*IV*A-",
                              "2**2000.00\\SE*7*0001\\",
                          ), "S1", "076401250000100"),
                    Entry(24, "242077778", "X-9", 0, "MIAMI VALLEY", "SUP-0002",
                          ("RMR*IV*A-3**0.00\\",), "S2", "076401250000205"),
                ],
            )
        ],
    ),
    "ppd_and_reversal": (
        out(date(2026, 3, 11), "0900", id_modifier="B"),
        [
            (
                batch("PPD", 1, effective="260312"),
                [
                    Entry(22, *A_SAMPLE, trace="076401250000001"),
                    Entry(32, *B_SAMPLE, ("RMR*IV*BOOKS-7**1.00\\",), trace="076401250000002"),
                ],
            ),
            (
                batch("PPD", 2, effective="260312", service_class=ServiceClass.DEBITS, description="REVERSAL"),
                [
                    Entry(27, *A_SAMPLE, trace="076401250000003"),
                    Entry(37, *B_SAMPLE, trace="076401250000004"),
                ],
            ),
        ],
    ),
    "returns": (
        back(),
        [
            (
                batch("CCD", 1, odfi="24207777", settlement_day="070"),
                [
                    Entry(21, ODFI, "1234567", 250000, "CLARK STATE", "SUP-0009",
                          (ReturnAddendum("R02", "076401250000007", "24207777"),), "", "242077770000011"),
                    Entry(31, ODFI, "998877", 0, "EDISON STATE", "SUP-0010",
                          (ReturnAddendum("R03", "076401250000008", "24207777", "NOT IN OUR BOOKS"),),
                          "", "242077770000012"),
                ],
            ),
            (
                batch("PPD", 2, odfi="04109999", settlement_day="071"),
                [
                    Entry(21, ODFI, "445566", 7700, "A. SAMPLE", "",
                          (ReturnAddendum("R15", "076401250000021", "04109999", "2026 ESTATE", "260305"),),
                          "", "041099990000003"),
                ],
            ),
        ],
    ),
    "changes": (
        back(),
        [
            (
                batch("COR", 1, odfi="24207777", settlement_day="070", effective=""),
                [
                    Entry(21, ODFI, "1234567", 0, "CLARK STATE", "SUP-0009",
                          (ChangeAddendum("C01", "076401250000007", "24207777", "7654321"),), "", "242077770000021"),
                    Entry(21, ODFI, "998877", 0, "EDISON STATE", "SUP-0010",
                          (ChangeAddendum("C05", "076401250000008", "24207777", "32"),), "", "242077770000022"),
                    Entry(21, ODFI, "445566", 0, "A. SAMPLE", "SUP-0011",
                          (ChangeAddendum("C07", "076401250000009", "24207777", "0410999991122334455       32"),),
                          "", "242077770000023"),
                ],
            )
        ],
    ),
    "acknowledgments": (
        back(),
        [
            (
                batch("ACK", 1, odfi="24207777", settlement_day="070"),
                [Entry(24, ODFI, "00123456789", 0, "LORAIN COLLEGE", "076401250000001", trace="242077770000031")],
            ),
            (
                batch("ATX", 2, odfi="24207777", settlement_day="070", description="TRADE PAY"),
                [Entry(34, ODFI, "1234567", 0, "LORAIN COLLEGE", "076401250000100", trace="242077770000032")],
            ),
        ],
    ),
}  # fmt: skip
