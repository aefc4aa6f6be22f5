"""Signing secrets at rest: ciphertext under `webhook.key`, bound to the endpoint they sign for."""

from kit.crypto import decrypt, encrypt, from_text, to_text

KEY_NAME = "webhook.key"


class SecretBox:
    """Seals what must be shown or used again, but never lie in the database in the clear."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, bound_to: str, text: str) -> str:
        """`text` as ciphertext that opens only for the same `bound_to`."""
        return to_text(encrypt(self._key, text.encode(), context=f"webhook|{bound_to}"))

    def open(self, bound_to: str, sealed: str) -> str:
        return decrypt({1: self._key}, from_text(sealed), context=f"webhook|{bound_to}").decode()
