"""Secrets of the local stack: made once, files of the data folder, readable by this user only."""

import secrets

from cairn.stack.layout import Home, write_atomically

ROLES = (
    "cairn_owner",
    "cairn_applications",
    "cairn_eligibility",
    "cairn_payments",
    "cairn_notifications",
    "cairn_workflows",
)
KEYS = ("kek", "mac", "payload", "cursor", "webhook", "exam_codes", "payee_accounts")
KEY_BYTES = 32
# Its presence tells every process that these secrets are not for production.
MARKER = "local-stack"


def make_secrets(home: Home) -> None:
    """Make what is missing; what exists stays, for the data is encrypted under it."""
    (home.secrets / MARKER).touch(mode=0o600)
    for role in ROLES:
        _make(home, f"pg_{role}.password", secrets.token_urlsafe(24))
    for key in KEYS:
        _make(home, f"{key}.key", secrets.token_hex(KEY_BYTES))


def password_of(home: Home, role: str) -> str:
    return (home.secrets / f"pg_{role}.password").read_text().strip()


def _make(home: Home, name: str, value: str) -> None:
    path = home.secrets / name
    if not path.exists():
        write_atomically(path, value.encode())
