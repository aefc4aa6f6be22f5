"""Attestations: a registered issuer's statement, signed as a compact JWS (RFC 7515) with Ed25519 or ES256.

The payload is JSON `{"iss", "enrollment_id", "credential_id", "completed_on"}`, the header names the key (`kid`).
"""

# pyright: strict
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import Forbidden, Refused
from contracts.ids import EnrollmentId
from contracts.texts import Slug

ALGORITHMS = ("Ed25519", "EdDSA", "ES256")
JWS_CHARS_MAX = 8192
HEADER_CHARS_MAX = 1024

PublicJwk: TypeAlias = dict[str, str]


class AttestationUnreadable(Refused):
    """The attestation is not a compact JWS with a statement of completion: {why}."""

    code = "attestation_unreadable"


class IssuerKeyUnknown(Forbidden):
    """No valid key of that issuer has the key id that the attestation names."""

    code = "issuer_key_unknown"


class SignatureInvalid(Forbidden):
    """The attestation's signature does not verify under the issuer's registered key."""

    code = "signature_invalid"


class IssuerOutOfScope(Forbidden):
    """That issuer may not attest this credential."""

    code = "issuer_out_of_scope"


class StatementOfAnother(Forbidden):
    """The statement names another issuer than the one that hands it in."""

    code = "statement_of_another"


class StatementMismatch(Refused):
    """The statement is about another {subject}."""

    code = "statement_mismatch"


class IssuerKeyUnfit(Refused):
    """That is not a public signing key of a kind issuers may use: Ed25519 or P-256."""

    code = "issuer_key_unfit"


class Statement(BaseModel):
    """What the issuer signs. Further claims (`iat`, `jti`, …) may be there; they are kept but not read."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    iss: Slug
    """The issuer's id in the program."""
    enrollment_id: EnrollmentId
    credential_id: Slug
    completed_on: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


@dataclass(frozen=True, slots=True)
class Unverified:
    """A statement as it claims to be, before its signature is checked."""

    compact: str
    key_id: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key that an issuer registered, and when it counts."""

    issuer_id: str
    key_id: str
    public_jwk: PublicJwk
    not_before: datetime
    not_after: datetime | None

    def counts_at(self, moment: datetime) -> bool:
        return self.not_before <= moment and (self.not_after is None or moment < self.not_after)


def read_unverified(compact: str) -> Unverified:
    """Take the statement apart without believing it; `AttestationUnreadable` says what is wrong with its form."""
    if len(compact) > JWS_CHARS_MAX or not compact.isascii():
        raise AttestationUnreadable(why="it is too long or not ASCII", pointer="/attestation")
    try:
        token = jws.extract_compact(compact.encode())
        header: dict[str, Any] = dict(token.headers())
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise AttestationUnreadable(why="it does not have three readable parts", pointer="/attestation") from error
    key_id = header.get("kid")
    if header.get("alg") not in ALGORITHMS:
        raise AttestationUnreadable(why="its algorithm is not Ed25519, EdDSA or ES256", pointer="/attestation")
    if not isinstance(key_id, str) or not 1 <= len(key_id) <= 128 or "\x00" in key_id:
        raise AttestationUnreadable(why="its header names no key (kid)", pointer="/attestation")
    try:
        statement = Statement.model_validate_json(token.payload)
        datetime.strptime(statement.completed_on, "%Y-%m-%d")  # noqa: DTZ007 a calendar day has no zone
    except ValidationError as error:
        where = "/".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "the payload"
        raise AttestationUnreadable(why=f"its statement is not valid at {where}", pointer="/attestation") from error
    except ValueError as error:
        raise AttestationUnreadable(why="completed_on is not a day", pointer="/attestation") from error
    return Unverified(compact, key_id, statement)


def verify(unverified: Unverified, key: IssuerKey | None, *, scope: frozenset[str], now: datetime) -> Statement:
    """The statement, once its signature verifies under a key of an issuer whose scope holds the credential.

    `scope` names the issuers who may attest the enrollment's credential.
    """
    statement = unverified.statement
    if key is None or key.issuer_id != statement.iss or not key.counts_at(now):
        raise IssuerKeyUnknown(pointer="/attestation")
    try:
        with warnings.catch_warnings():
            # joserfc warns of the name EdDSA (RFC 9864 prefers Ed25519); issuers still send it.
            warnings.simplefilter("ignore")
            jws.deserialize_compact(unverified.compact, _import_key(key.public_jwk), algorithms=list(ALGORITHMS))
    except (JoseError, ValueError, TypeError) as error:
        raise SignatureInvalid(pointer="/attestation") from error
    if statement.iss not in scope:
        raise IssuerOutOfScope(pointer="/attestation")
    return statement


def require_own(unverified: Unverified, *, issuer_id: str) -> None:
    """An issuer hands in what it signed itself."""
    if unverified.statement.iss != issuer_id:
        raise StatementOfAnother(pointer="/attestation")


def require_subject(statement: Statement, *, enrollment_id: str, credential_id: str) -> None:
    """The statement is about this enrollment and this credential."""
    if statement.enrollment_id != enrollment_id:
        raise StatementMismatch(subject="enrollment", pointer="/attestation")
    if statement.credential_id != credential_id:
        raise StatementMismatch(subject="credential", pointer="/attestation")


def public_part(jwk: dict[str, Any]) -> PublicJwk:
    """The public members of a JWK, checked to be an Ed25519 or P-256 key; private members are refused."""
    if "d" in jwk:
        raise IssuerKeyUnfit()
    members = ("kty", "crv", "x", "y") if jwk.get("kty") == "EC" else ("kty", "crv", "x")
    public = {name: str(jwk[name]) for name in members if name in jwk}
    _import_key(public)
    return public


def _import_key(public: PublicJwk) -> OKPKey | ECKey:
    try:
        if (public.get("kty"), public.get("crv")) == ("OKP", "Ed25519"):
            return OKPKey.import_key(dict(public))
        if (public.get("kty"), public.get("crv")) == ("EC", "P-256"):
            return ECKey.import_key(dict(public))
    except (JoseError, ValueError, TypeError) as error:
        raise IssuerKeyUnfit() from error
    raise IssuerKeyUnfit()
