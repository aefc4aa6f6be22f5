# pyright: strict
"""Who sends the file: read from TOML, every key checked before the first record is written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from services.payments.nacha.fields import PRINTABLE
from services.payments.nacha.routing import is_routing_number


@dataclass(frozen=True, slots=True)
class Originator:
    """The sender. `odfi_routing` is its bank; `ein` the employer identification number, nine digits.

    `origin` is what the bank agreed to see as immediate origin: a routing number, or ten characters.
    """

    company_name: str
    ein: str
    odfi_routing: str
    odfi_name: str
    origin: str
    origin_name: str
    description: str = "EDU PAYMT"
    discretionary: str = ""
    reference: str = ""

    @property
    def company_id(self) -> str:
        """1 says that an employer identification number follows."""
        return f"1{self.ein}"

    @property
    def addresses(self) -> frozenset[str]:
        """The destinations of files that come back: ours, or our bank's where it hands on what the operator sent."""
        return frozenset({self.origin, self.company_id, self.odfi_routing})


SAMPLE_ORIGINATOR = Originator(
    company_name="CAIRN SAMPLE FUN",
    ein="999999999",
    odfi_routing="041099999",
    odfi_name="SAMPLE BANK",
    origin="1999999999",
    origin_name="CAIRN SAMPLE FUND",
)
"""An originator that does not exist, for trying out."""

_WIDTHS = {
    "company_name": (1, 16),
    "odfi_name": (0, 23),
    "origin_name": (0, 23),
    "description": (1, 10),
    "discretionary": (0, 20),
    "reference": (0, 8),
}


def originator_from(given: Mapping[str, Any]) -> tuple[Originator | None, list[tuple[str, str]]]:
    """The originator, or the keys that are wrong with their reasons."""
    known = {one.name for one in fields(Originator)}
    needed = {"company_name", "ein", "odfi_routing", "odfi_name", "origin", "origin_name"}
    faults = [(key, "is not a key of an originator") for key in given if key not in known]
    faults += [(key, "is missing") for key in sorted(needed - set(given))]
    values: dict[str, str] = {}
    for key in sorted(known & set(given)):
        if not isinstance(given[key], str):
            faults.append((key, "is not text: put it in quotes"))
            continue
        values[key] = given[key]
        faults += [(key, reason) for reason in _reasons(key, given[key])]
    return (None if faults else Originator(**values)), faults


RESERVED_DESCRIPTIONS = frozenset({"REVERSAL", "RECLAIM", "NONSETTLED", "PRENOTE"})


def _reasons(key: str, value: str) -> list[str]:
    match key:
        case "ein":
            return [] if re.fullmatch(r"[0-9]{9}", value) and value.strip("0") else ["is not nine digits"]
        case "odfi_routing":
            return [] if is_routing_number(value) else ["is not a routing number: nine digits, the last a check digit"]
        case "origin":
            fits = is_routing_number(value) or re.fullmatch(r"[A-Z0-9]{10}", value)
            return (
                [] if fits and value.strip("0") else ["is neither a routing number nor ten capital letters or digits"]
            )
        case "description" if (word := value.strip().upper().split(" ")[0]) in RESERVED_DESCRIPTIONS:
            return [f"says {word}, which the rules keep for batches of another kind"]
        case _:
            least, most = _WIDTHS[key]
            fits = re.fullmatch(f"{PRINTABLE}{{{least},{most}}}", value)
            return [] if fits else [f"is not {least} to {most} characters of printable ASCII"]
