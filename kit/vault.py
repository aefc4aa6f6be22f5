"""Personal values under one key per person; without the key-encryption key the database holds noise.

Every key that is taken leaves a row with reader, purpose and request. Shredding a person's key erases every copy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from contracts.errors import NotFound, Refused
from kit.crypto import Sealer, decrypt, from_text, keyed_digest, new_key, to_text
from kit.db import Connection
from kit.telemetry import current_trace

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

VALUE_BYTES_MAX = 12_000
"""What still fits `contracts.texts.Sealed` once encrypted and encoded."""

_ADMIT = "SELECT vault.admit($1, $2, $3, $4, $5)"
_TAKE_KEY = "SELECT wrapped_key, kek_version, names, ciphertexts FROM vault.take_key($1, $2, $3, $4)"
_PUT = "SELECT vault.put_values($1, $2, $3)"
_SHRED = "SELECT vault.shred($1)"


class PersonForgotten(Refused):
    """The person's key was shredded: what it sealed can be opened by nobody."""

    code = "person_forgotten"
    status = 410


class PersonUnknown(NotFound):
    """The vault has no key for this person."""

    code = "person_unknown"


class ValueTooLarge(Refused):
    """A personal value takes {bytes} bytes; the most is {bytes_max}."""

    code = "value_too_large"


@dataclass(frozen=True, slots=True)
class Draft:
    """A person about to be admitted: the arguments of `vault.admit`, and what was sealed under the new key."""

    values: tuple[str, bytes, int, list[str], list[str]]
    sealed: dict[str, str]


class Vault:
    """Seals and opens one program's personal values; `reader` names the process in the audit, beside its login role."""

    def __init__(
        self,
        *,
        kek: bytes,
        reader: str,
        mac_key: bytes | None = None,
        kek_version: int = 1,
        earlier_keks: Mapping[int, bytes] | None = None,
    ) -> None:
        self._kek_version = kek_version
        self._keks = {**(earlier_keks or {}), kek_version: kek}
        self._wrapping = Sealer(kek, version=kek_version)
        self._mac_key = mac_key
        self._reader = reader

    @classmethod
    def from_settings(cls, settings: "ProcessSettings", *, reader: str) -> Self:
        """With `kek.key` and `mac.key` from the secrets folder."""
        return cls(kek=settings.secret("kek.key"), mac_key=settings.secret("mac.key"), reader=reader)

    async def admit(
        self,
        tx: Connection,
        person_id: str,
        *,
        values: Mapping[str, str] | None = None,
        seal: Mapping[str, bytes] | None = None,
    ) -> dict[str, str]:
        """Create the person's key, store `values`, and return each of `seal` (by label) sealed: one round trip.

        A person who is already there keeps the key and gets the new values.
        """
        values, seal = values or {}, seal or {}
        drafted = self.draft(person_id, values=values, seal=seal)
        if await tx.fetchval(_ADMIT, *drafted.values):
            return drafted.sealed
        await self.put(tx, person_id, values)
        return {label: await self.seal(tx, person_id, value, purpose_label=label) for label, value in seal.items()}

    def draft(self, person_id: str, *, values: Mapping[str, str], seal: Mapping[str, bytes]) -> Draft:
        """A new key with `values` and `seal` under it, as `vault.admit` takes them: for a person not there yet."""
        key = new_key()
        sealer = Sealer(key)
        wrapped = self._wrapping.encrypt(key, context=_key_context(person_id))
        stored = [_sealed(sealer, value.encode(), _value_context(name, person_id)) for name, value in values.items()]
        return Draft(
            values=(person_id, wrapped, self._kek_version, list(values), stored),
            sealed={label: _sealed(sealer, value, f"{label}|{person_id}") for label, value in seal.items()},
        )

    async def seal(self, tx: Connection, person_id: str, value: bytes, *, purpose_label: str) -> str:
        """`value` under the person's key, to travel: only the same label opens it. Taking the key is audited."""
        key = await self._key(tx, person_id, purpose=f"seal:{purpose_label}")
        return _sealed(Sealer(key), value, f"{purpose_label}|{person_id}")

    async def open(
        self, tx: Connection, person_id: str, sealed: str, *, label: str, purpose: str, request_id: str
    ) -> bytes:
        """What was sealed under `label`; `PersonForgotten` after the key was shredded. The audit keeps the read."""
        key = await self._key(tx, person_id, purpose=purpose, request_id=request_id, names=[label])
        return decrypt({1: key}, from_text(sealed), context=f"{label}|{person_id}")

    async def put(self, tx: Connection, person_id: str, values: Mapping[str, str]) -> None:
        """Store values by name, each encrypted by itself; a name that is there is overwritten."""
        if not values:
            return
        key = await self._key(tx, person_id, purpose="put", names=list(values))
        sealer = Sealer(key)
        stored = [_sealed(sealer, value.encode(), _value_context(name, person_id)) for name, value in values.items()]
        if not await tx.fetchval(_PUT, person_id, list(values), stored):
            raise PersonForgotten

    async def read(
        self, tx: Connection, person_id: str, names: Sequence[str], *, purpose: str, request_id: str
    ) -> dict[str, str]:
        """The stored values of these names, without those never stored. The audit keeps names, purpose and request."""
        row = await self._take(tx, person_id, purpose, request_id, names)
        key = self._unwrap(person_id, row[0], row[1])
        found = {name: sealed for name, sealed in zip(row[2], row[3], strict=True) if name is not None}
        return {
            name: decrypt({1: key}, from_text(found[name]), context=_value_context(name, person_id)).decode()
            for name in names
            if name in found
        }

    async def shred(self, tx: Connection, person_id: str) -> None:
        """Delete key and values. Already done is done; an unknown person is `PersonUnknown` on the next use."""
        await tx.fetchval(_SHRED, person_id)

    def mac(self, label: str, value: str) -> bytes:
        """A digest to look a value up by, of no use without `mac.key`. Normalize the value first."""
        if self._mac_key is None:
            raise ValueError("this vault was made without mac.key")
        return keyed_digest(self._mac_key, label, value)

    async def _key(
        self,
        tx: Connection,
        person_id: str,
        *,
        purpose: str,
        request_id: str | None = None,
        names: Sequence[str] = (),
    ) -> bytes:
        row = await self._take(tx, person_id, purpose, request_id or current_trace().correlation_id or "none", names)
        return self._unwrap(person_id, row[0], row[1])

    async def _take(
        self, tx: Connection, person_id: str, purpose: str, request_id: str, names: Sequence[str]
    ) -> tuple[bytes, int, list[str | None], list[str]]:
        row = await tx.fetchrow(_TAKE_KEY, person_id, f"{self._reader}:{purpose}", request_id, list(names))
        if row is None:
            raise PersonUnknown
        if row["wrapped_key"] is None:
            raise PersonForgotten
        return row["wrapped_key"], row["kek_version"], row["names"], row["ciphertexts"]

    def _unwrap(self, person_id: str, wrapped: bytes, kek_version: int) -> bytes:
        return decrypt(
            {kek_version: self._keks[kek_version]} if kek_version in self._keks else {},
            wrapped,
            context=_key_context(person_id),
        )


def _key_context(person_id: str) -> str:
    return f"data_subject_key|wrapped_key|{person_id}"


def _value_context(name: str, person_id: str) -> str:
    return f"personal_value|{name}|{person_id}"


def _sealed(sealer: Sealer, value: bytes, context: str) -> str:
    if len(value) > VALUE_BYTES_MAX:
        raise ValueTooLarge(bytes=len(value), bytes_max=VALUE_BYTES_MAX)
    return to_text(sealer.encrypt(value, context=context))
