"""AES-256-GCM with associated data, and keyed look-up digests. A ciphertext says which version of its key made it."""

import base64
import hashlib
import hmac
import os
import re
from binascii import b2a_base64
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.errors import Refused

KEY_BYTES = 32
VERSION_MAX = 255
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_NONCE_BYTES = 12
_TAG_BYTES = 16


class Undecipherable(Refused):
    """The ciphertext cannot be opened: {why}."""

    code = "undecipherable"


def new_key() -> bytes:
    """A random 256-bit key."""
    return os.urandom(KEY_BYTES)


def encrypt(key: bytes, plaintext: bytes, *, context: str, version: int = 1) -> bytes:
    """`version | nonce | ciphertext | tag`. Only the same `context` (`label|person`) and key open it again.

    The nonce is random: one key may encrypt 2^32 values (NIST SP 800-38D §8.3).
    """
    return Sealer(key, version=version).encrypt(plaintext, context=context)


class Sealer:
    """Encrypts several values under one key, which is made ready once."""

    def __init__(self, key: bytes, *, version: int = 1) -> None:
        if not 1 <= version <= VERSION_MAX:
            raise ValueError(f"key version {version} is not in 1..{VERSION_MAX}")
        self._head = bytes([version])
        self._cipher = AESGCM(_checked(key))

    def encrypt(self, plaintext: bytes, *, context: str) -> bytes:
        """As `encrypt` does."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._cipher.encrypt(nonce, plaintext, self._head + context.encode())


def decrypt(keys: Mapping[int, bytes], ciphertext: bytes, *, context: str) -> bytes:
    """Open what `encrypt` made; `keys` by version. `Undecipherable` when it was altered, moved or is another's."""
    if len(ciphertext) < 1 + _NONCE_BYTES + _TAG_BYTES:
        raise Undecipherable(why="it is too short")
    head, nonce, body = ciphertext[:1], ciphertext[1 : 1 + _NONCE_BYTES], ciphertext[1 + _NONCE_BYTES :]
    key = keys.get(head[0])
    if key is None:
        raise Undecipherable(why=f"there is no key of version {head[0]}")
    try:
        return AESGCM(_checked(key)).decrypt(nonce, body, head + context.encode())
    except InvalidTag:
        raise Undecipherable(why="key or context is another, or it was altered") from None


def to_text(data: bytes) -> str:
    """base64url without padding (RFC 4648 §5)."""
    return b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """What `to_text` wrote; `Undecipherable` for anything else."""
    try:
        if _BASE64URL.fullmatch(text) is None:
            raise ValueError
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Undecipherable(why="it is not base64url") from None


def keyed_digest(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 of the parts: equal parts are found, and nothing is learned without the key."""
    framed = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
    return hmac.digest(_checked(key), framed, hashlib.sha256)


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, this one {len(key)}")
    return key
