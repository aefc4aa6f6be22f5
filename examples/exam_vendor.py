"""An exam vendor: sells codes, registers and examines people, and reports by file what became of every code it sold.

`python -m examples.exam_vendor lot --out LOT.csv --codes 40 [--seed N]`
`python -m examples.exam_vendor report --lot LOT.csv --story STORY.json --out REPORT.csv [--style harbor|keystone]`

A story is a list of `{"code": 3, "status": "delivered", "at": "2026-03-09T09:30", "told_at": …, "exam": "coding"}`;
`code` counts the lot's codes from 1, and a code in words is taken as it stands (another customer's, say). Faults a
vendor makes: `--repeat N` writes the first N lines again, `--wrong-total` announces another number of lines,
`--columns reversed` turns the columns round. It knows nothing of Cairn but the two layouts of `programs/exam-vendors`.
"""

import argparse
import csv
import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Style:
    """How one vendor writes: columns in order, words, the form of a moment, zone, and whether it adds totals."""

    columns: tuple[str, ...]
    words: dict[str, str]
    moment: str
    zone: str
    delimiter: str
    encoding: str
    exams: dict[str, str] = field(default_factory=dict)
    totals: bool = False


HARBOR = Style(
    columns=("Exam", "Voucher", "Status", "Exam Time", "Status Time", "Registration"),
    words={
        "registered": "Scheduled", "delivered": "Delivered", "no_show": "No Show", "late_cancel": "Cancelled Late",
        "canceled": "Cancelled", "event_canceled": "Site Cancelled", "reinstated": "Missed - Reinstated",
        "unused": "Active", "expired": "Expired", "void": "Revoked",
    },
    moment="%Y-%m-%d %H:%M",
    zone="America/New_York",
    delimiter=",",
    encoding="utf-8",
    exams={"coding": "HT-101 Coding", "cybersecurity": "HT-210 Cybersecurity"},
    totals=True,
)  # fmt: skip
KEYSTONE = Style(
    columns=("Sitting", "Outcome", "Access code"),
    words={
        "registered": "booked", "delivered": "sat", "no_show": "absent", "late_cancel": "withdrawn late",
        "canceled": "withdrawn in time", "event_canceled": "sitting called off", "reinstated": "absent, excused",
        "unused": "open", "expired": "lapsed", "void": "withdrawn from sale",
    },
    moment="%d.%m.%Y %H:%M",
    zone="America/Denver",
    delimiter=";",
    encoding="latin-1",
)  # fmt: skip
STYLES = {"harbor": HARBOR, "keystone": KEYSTONE}


@dataclass(frozen=True)
class Event:
    """What the vendor took down about one code: `at` is the exam's moment, `told_at` when it was taken down."""

    code: str
    status: str
    at: datetime
    told_at: datetime | None = None
    exam: str = "coding"
    registration: str = ""


@dataclass(frozen=True)
class Faults:
    """What goes wrong in a report."""

    repeat: int = 0
    wrong_total: bool = False
    columns_reversed: bool = False
    in_utc: bool = False
    """Moments with an offset instead of the vendor's own time; only for styles that allow one."""
    foreign: Sequence[str] = ()
    """Raw lines of another customer, or of nobody."""


def new_codes(count: int, *, seed: int | None = None) -> list[str]:
    """Codes as this vendor makes them."""
    if seed is None:
        return [f"XVC-{secrets.token_hex(8).upper()}" for _ in range(count)]
    chance = random.Random(seed)
    return [f"XVC-{chance.getrandbits(64):016X}" for _ in range(count)]


def lot_file(codes: Sequence[str]) -> bytes:
    """The file a buyer gets: one column `code`."""
    return ("code\n" + "".join(f"{code}\n" for code in codes)).encode()


def report_file(events: Sequence[Event], style: Style = HARBOR, faults: Faults | None = None) -> bytes:
    """The redemption report of these events, as this vendor writes it."""
    wrong = faults or Faults()
    columns = tuple(reversed(style.columns)) if wrong.columns_reversed else style.columns
    rows = [_row(event, style, wrong) for event in events]
    rows += rows[: wrong.repeat]
    out = StringIO()
    writer = csv.writer(out, delimiter=style.delimiter, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    out.writelines(f"{line}\r\n" for line in wrong.foreign)
    if style.totals:
        count = len(rows) + len(wrong.foreign) + (7 if wrong.wrong_total else 0)
        last = {"Voucher": "TOTAL", "Status": str(count)}
        writer.writerow([last.get(column, "") for column in columns])
    return out.getvalue().encode(style.encoding)


def _row(event: Event, style: Style, wrong: Faults) -> dict[str, str]:
    told = event.told_at or event.at
    word = style.words[event.status]
    return {
        "Exam": style.exams.get(event.exam, event.exam),
        "Voucher": event.code,
        "Access code": event.code,
        "Status": word,
        "Outcome": word,
        "Exam Time": _moment(event.at, style, wrong),
        "Sitting": _moment(event.at, style, wrong),
        "Status Time": _moment(told, style, wrong),
        "Registration": event.registration,
    }


def _moment(at: datetime, style: Style, wrong: Faults) -> str:
    if wrong.in_utc:
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
    return at.astimezone(ZoneInfo(style.zone)).strftime(style.moment)


def events_of(story: Sequence[dict[str, Any]], codes: Sequence[str], style: Style) -> list[Event]:
    """A story told with the lot's codes; moments without an offset are in the vendor's zone."""

    def moment(text: str) -> datetime:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(style.zone))

    return [
        Event(
            code=codes[told["code"] - 1] if isinstance(told["code"], int) else told["code"],
            status=told["status"],
            at=moment(told["at"]),
            told_at=moment(told["told_at"]) if "told_at" in told else None,
            exam=told.get("exam", "coding"),
            registration=told.get("registration", ""),
        )
        for told in story
    ]


def retirement_notice(exam: str, day: datetime) -> str:
    """What this vendor writes to its customers when it withdraws an exam."""
    return f"{exam} is withdrawn. The last day on which it is given is {day:%Y-%m-%d}; later bookings are moved to it."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = parser.add_subparsers(dest="act", required=True)
    lot = acts.add_parser("lot")
    lot.add_argument("--out", type=Path, required=True)
    lot.add_argument("--codes", type=int, default=40)
    lot.add_argument("--seed", type=int)
    report = acts.add_parser("report")
    report.add_argument("--lot", type=Path, required=True)
    report.add_argument("--story", type=Path, required=True)
    report.add_argument("--out", type=Path, required=True)
    report.add_argument("--style", choices=sorted(STYLES), default="harbor")
    report.add_argument("--repeat", type=int, default=0)
    report.add_argument("--wrong-total", action="store_true")
    report.add_argument("--columns", choices=("usual", "reversed"), default="usual")
    return parser.parse_args()


def main() -> None:
    """Write the lot or the report, readable by its owner alone."""
    given = _arguments()
    if given.act == "lot":
        content = lot_file(new_codes(given.codes, seed=given.seed))
    else:
        codes = [row["code"] for row in csv.DictReader(given.lot.open())]
        style = STYLES[given.style]
        faults = Faults(given.repeat, given.wrong_total, given.columns == "reversed")
        content = report_file(events_of(json.loads(given.story.read_text()), codes, style), style, faults)
    given.out.touch(mode=0o600)
    given.out.write_bytes(content)
    print(json.dumps({"written": given.out.name, "lines": content.count(b"\n") - 1}), flush=True)


if __name__ == "__main__":
    main()
