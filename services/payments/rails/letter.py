"""The control-total letter: what the receiver compares the file with before it acts on it."""

from datetime import UTC, datetime

from services.payments.rails import RailFile

LETTER_SUFFIX = ".letter.txt"


def control_total_letter(
    file: RailFile, *, batch_id: str, sha256: bytes, maker: str, made_at: datetime, checker: str, checked_at: datetime
) -> str:
    """Plain text of `name: value` lines: the file's counts and totals, the digest of its bytes, and the two people."""
    lines = [
        ("File", file.name),
        ("Batch", batch_id),
        *file.totals,
        ("Bytes", str(len(file.content))),
        ("SHA-256 of the file", sha256.hex()),
        ("Made by", f"{maker}, {_moment(made_at)}"),
        ("Checked by", f"{checker}, {_moment(checked_at)}"),
    ]
    width = max(len(name) for name, _ in lines) + 2
    body = "\n".join(f"{name + ':':{width}}{value}" for name, value in lines)
    return f"CONTROL TOTALS\n\n{body}\n\nDo not act on a file that differs from any of these.\n"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
