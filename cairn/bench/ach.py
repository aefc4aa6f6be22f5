"""`cairn bench ach`: entries a second written and read, beside the same records copied unchecked; memory of each."""

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from cairn.bench.table import Report
from cairn.stack.parent import tied
from services.payments.nacha import SAMPLE_ORIGINATOR, EntryClass, FilePlan, FileReader, FileWriter, sample_payments

READ_BYTES = 256 * 1024
SMALL_SHARE = 10
CLASSES = (EntryClass.CCD, EntryClass.CTX)
MADE_AT = datetime(2026, 3, 10, 15, 4, tzinfo=UTC)


async def measure(count: int) -> Report:
    """Each figure from a process of its own, so that its peak memory is that of this work alone."""
    report = Report(
        "ach",
        "ACH files written and read",
        f"{count:,} sample entries a class, CCD+ with one addendum and CTX with an 820 of one to twelve invoices;"
        " writing includes making them up. Each step runs in a process of its own; peak memory is that process's,"
        " interpreter included, beside a tenth of the entries. The baseline copies the records without looking.",
    )
    with tempfile.TemporaryDirectory() as folder:
        for entry_class in CLASSES:
            small = Path(folder) / f"small-{entry_class}.ach"
            large = Path(folder) / f"large-{entry_class}.ach"
            for step in ("write", "read"):
                few = await _in_a_process(step, entry_class, max(count // SMALL_SHARE, 1), small)
                many = await _in_a_process(step, entry_class, count, large)
                report.add(f"{entry_class} entries a second, {step}", f"{count / many['seconds']:,.0f}")
                memory = f"{few['peak_mib']:.1f} / {many['peak_mib']:.1f} MiB"
                report.add(f"{entry_class} peak memory, {step}, a tenth / all", memory, "flat")
            size = large.stat().st_size / 2**20
            bare = await _in_a_process("copy", entry_class, count, large)
            report.add(f"{entry_class} entries a second, copied unchecked", f"{count / bare['seconds']:,.0f}")
            report.add(f"{entry_class} records and size", f"{bare['records']:,}, {size:.1f} MiB")
    return report


async def _in_a_process(step: str, entry_class: EntryClass, count: int, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "cairn.bench.ach", step, entry_class, str(count), str(file)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, preexec_fn=tied())
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{step} of {count} entries ended with {process.returncode}")
    return json.loads(output)


def write(entry_class: EntryClass, count: int, file: Path) -> int:
    plan = FilePlan(SAMPLE_ORIGINATOR, entry_class, MADE_AT, date(2026, 3, 11))
    writer = FileWriter(plan.header)
    with file.open("wb") as stream:
        stream.writelines(writer.write(plan.batches(sample_payments(count, entry_class))))
    return writer.records


def read(entry_class: EntryClass, count: int, file: Path) -> int:
    with file.open("rb") as stream:
        reader = FileReader(iter(lambda: stream.read(READ_BYTES), b""))
        entries = sum(1 for _ in reader)
    if not reader.verdict.valid or entries != count:
        raise RuntimeError(f"{entries} entries read: {reader.verdict.first_fault}")
    return reader.verdict.records


def copy(entry_class: EntryClass, count: int, file: Path) -> int:
    with file.open("rb") as stream, file.with_suffix(".copy").open("wb") as target:
        records = 0
        for line in stream:
            target.write(line)
            records += 1
    return records


STEPS: dict[str, Callable[[EntryClass, int, Path], int]] = {"write": write, "read": read, "copy": copy}


def main(step: str, entry_class: str, count: str, file: str) -> None:
    """One step; its figures as JSON on standard output."""
    began = time.perf_counter()
    records = STEPS[step](EntryClass(entry_class), int(count), Path(file))
    seconds = time.perf_counter() - began
    peak_mib = _peak_mib()
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib, "records": records}))


def _peak_mib() -> float:
    # A child's ru_maxrss begins with what its parent held before exec; the kernel's own mark begins anew.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main(*sys.argv[1:])
