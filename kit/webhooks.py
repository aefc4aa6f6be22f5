"""Standard Webhooks: sign and verify `id.timestamp.body` with HMAC-SHA256 (v1) or ed25519 (v1a).

Keys are texts: `whsec_` (shared secret), `whsk_` (ed25519 private key), `whpk_` (ed25519 public key), then base64.
"""

import base64
import binascii
import hmac
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.errors import Refused

TOLERANCE = timedelta(minutes=5)
SECRET_BYTES = 32
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64
_ED25519_BYTES = 32
_SIGNATURES_MAX = 10
_TIMESTAMP = re.compile(r"\d{1,11}", re.ASCII)
_MESSAGE_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,255}")
_KEYS_MAX = 4


class SignatureRefused(Refused):
    """The webhook's signature does not hold: {why}."""

    code = "signature_refused"
    status = 401


class WebhookKeyUnfit(Refused):
    """The webhook key cannot be used: {why}."""

    code = "webhook_key_unfit"


def new_secret() -> str:
    """A shared secret for v1."""
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def new_key_pair() -> tuple[str, str]:
    """A private and a public key for v1a."""
    private = Ed25519PrivateKey.generate()
    return tuple(
        prefix + base64.b64encode(raw).decode()
        for prefix, raw in (("whsk_", private.private_bytes_raw()), ("whpk_", private.public_key().public_bytes_raw()))
    )  # pyright: ignore[reportReturnType]


def sign(*, message_id: str, at: datetime, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """The three headers of one attempt. Several keys while one rotates out: a receiver needs to know only one."""
    if _MESSAGE_ID.fullmatch(message_id) is None:
        raise ValueError("a message id has 1 to 255 visible ASCII characters and no full stop")
    if not 1 <= len(keys) <= _KEYS_MAX:
        raise WebhookKeyUnfit(why=f"a message is signed by 1 to {_KEYS_MAX} keys")
    timestamp = str(int(at.timestamp()))
    signed = _signed(message_id, timestamp, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def verify(*, headers: Mapping[str, str], body: bytes, keys: Sequence[str], now: datetime) -> str:
    """The message id, once one signature over the raw body holds under one of `keys`; otherwise `SignatureRefused`."""
    found = {name.lower(): value for name, value in headers.items() if name.lower().startswith("webhook-")}
    message_id, timestamp = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    signatures = found.get("webhook-signature", "").split(" ")
    if _MESSAGE_ID.fullmatch(message_id) is None or _TIMESTAMP.fullmatch(timestamp) is None:
        raise SignatureRefused(why="the headers webhook-id and webhook-timestamp are not there as they must be")
    if len(signatures) > _SIGNATURES_MAX:
        raise SignatureRefused(why="there are too many signatures")
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        raise SignatureRefused(why="the timestamp is more than five minutes away")
    signed = _signed(message_id, timestamp, body)
    for signature in signatures:
        version, _, text = signature.partition(",")
        raw = _base64(text)
        if raw is not None and any(_holds(key, version, raw, signed) for key in keys):
            return message_id
    raise SignatureRefused(why="no signature matches")


def _signature(key: str, signed: bytes) -> str:
    prefix, raw = _key(key)
    match prefix:
        case "whsec_":
            return "v1," + base64.b64encode(hmac.digest(raw, signed, "sha256")).decode()
        case "whsk_":
            return "v1a," + base64.b64encode(Ed25519PrivateKey.from_private_bytes(raw).sign(signed)).decode()
        case _:
            raise WebhookKeyUnfit(why="a public key does not sign")


def _holds(key: str, version: str, signature: bytes, signed: bytes) -> bool:
    prefix, raw = _key(key)
    match version, prefix:
        case "v1", "whsec_":
            return hmac.compare_digest(signature, hmac.digest(raw, signed, "sha256"))
        case "v1a", "whpk_":
            public = Ed25519PublicKey.from_public_bytes(raw)
        case "v1a", "whsk_":
            public = Ed25519PrivateKey.from_private_bytes(raw).public_key()
        case _:
            # The version is the sender's word: only the key's own kind decides which check is made.
            return False
    try:
        public.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _key(text: str) -> tuple[str, bytes]:
    prefix, raw = text[: text.find("_") + 1], _base64(text[text.find("_") + 1 :])
    if prefix not in {"whsec_", "whsk_", "whpk_"} or raw is None:
        raise WebhookKeyUnfit(why="it is not whsec_, whsk_ or whpk_ with base64")
    if prefix == "whsec_" and not _SECRET_BYTES_MIN <= len(raw) <= _SECRET_BYTES_MAX:
        raise WebhookKeyUnfit(why=f"a shared secret has {_SECRET_BYTES_MIN} to {_SECRET_BYTES_MAX} bytes")
    if prefix != "whsec_" and len(raw) != _ED25519_BYTES:
        raise WebhookKeyUnfit(why=f"an ed25519 key has {_ED25519_BYTES} bytes")
    return prefix, raw


def _signed(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode() + body


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or None
    except (binascii.Error, ValueError):
        return None
