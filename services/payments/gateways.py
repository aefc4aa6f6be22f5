"""The folder shared with the finance system and the bank, and the closes of fiscal years, which Temporal runs."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import CairnError, NotFound, Refused, Unavailable
from contracts.fiscal_year import CloseView, close_id
from kit.settings import ProcessSettings
from kit.temporal import TemporalUnavailable, connect
from services.payments.books.fiscal_year import (
    CloseNotAnswering,
    CloseRefused,
    ListChanged,
    NothingToApprove,
    NotOpenEncumbrance,
)
from services.payments.domain import MakerIsChecker
from services.payments.remittance import CONFIRMATION_SUFFIX

FILE_BYTES_MAX = 64 * 1024 * 1024
CLOSE_ANSWERS_WITHIN = timedelta(seconds=10)
CONNECT_SECONDS_MAX = 5.0
"""Both together are shorter than a transaction may stand idle: the answer is kept in the one that waits for it."""
REFUSALS: Mapping[str, type[CairnError]] = {
    error.code: error for error in (MakerIsChecker, NothingToApprove, ListChanged, NotOpenEncumbrance)
}


class ExchangeUnavailable(Unavailable):
    """The folder shared with the finance system cannot be used just now ({what})."""

    code = "exchange_unavailable"


class FileTooLarge(Refused):
    """A file of {size_bytes} bytes is not read: {bytes_max} at most are."""

    code = "file_too_large"


class Exchange(Protocol):
    """What payments needs of the finance system's folder. All calls block: run them in a thread."""

    def put(self, name: str, content: bytes) -> None:
        """Put a file out, whole or not at all. Putting the same file again is harmless."""
        ...

    def stage(self, name: str, token: str, content: bytes) -> None:
        """Lay a file ready to go out, under a token of its own."""
        ...

    def staged(self, name: str, token: str) -> bool:
        """Whether it still lies there: once it is gone it went out."""
        ...

    def release(self, name: str, token: str) -> bool:
        """Move a staged file out, in one step; False where it went out before."""
        ...

    def discard(self, name: str, token: str) -> None:
        """Take a staged file away that never goes out."""
        ...

    def waiting(self, suffixes: Collection[str] = (CONFIRMATION_SUFFIX,)) -> list[str]:
        """The names of files of this kind that came in (confirmations, unless said), in the order of their names."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content of one; None where another reader has taken it. Raises `FileTooLarge`."""
        ...

    def done(self, name: str) -> None:
        """Move a file that was read out of the way."""
        ...

    def set_aside(self, name: str) -> None:
        """Move a file that cannot be read to where a person looks for it."""
        ...


class ExchangeFolder:
    """`outbound/`, `inbound/`, `inbound/processed/` and `inbound/failed/` of one folder."""

    def __init__(self, folder: Path) -> None:
        self._outbound = folder / "outbound"
        self._inbound = folder / "inbound"
        self._processed = self._inbound / "processed"
        self._failed = self._inbound / "failed"
        # Beside the outbound folder, so that moving a file out is one step of one file system.
        self._staging = folder / "staging"

    def put(self, name: str, content: bytes) -> None:
        try:
            self._outbound.mkdir(parents=True, exist_ok=True)
            staged = self._outbound / f".{name}.{secrets.token_hex(8)}"
            _written_down(staged, content)
            _moved(staged, self._outbound / name)
        except OSError as error:
            raise ExchangeUnavailable(what=type(error).__name__) from error

    def stage(self, name: str, token: str, content: bytes) -> None:
        try:
            self._staging.mkdir(parents=True, exist_ok=True)
            _written_down(self._staging / f"{name}.{token}", content)
            _kept(self._staging)
        except OSError as error:
            raise ExchangeUnavailable(what=type(error).__name__) from error

    def staged(self, name: str, token: str) -> bool:
        return (self._staging / f"{name}.{token}").exists()

    def release(self, name: str, token: str) -> bool:
        try:
            self._outbound.mkdir(parents=True, exist_ok=True)
            _moved(self._staging / f"{name}.{token}", self._outbound / name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ExchangeUnavailable(what=type(error).__name__) from error
        return True

    def discard(self, name: str, token: str) -> None:
        try:
            (self._staging / f"{name}.{token}").unlink(missing_ok=True)
        except OSError as error:
            raise ExchangeUnavailable(what=type(error).__name__) from error

    def waiting(self, suffixes: Collection[str] = (CONFIRMATION_SUFFIX,)) -> list[str]:
        try:
            names = [p.name for p in self._inbound.iterdir() if p.suffix in suffixes and p.is_file()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ExchangeUnavailable(what=type(error).__name__) from error
        return sorted(name for name in names if not name.startswith("."))

    def read(self, name: str) -> bytes | None:
        path = self._inbound / name
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > FILE_BYTES_MAX:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                    raise FileTooLarge(size_bytes=size, bytes_max=FILE_BYTES_MAX, sha256=sha256)
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ExchangeUnavailable(what=type(error).__name__) from error

    def done(self, name: str) -> None:
        self._away(name, self._processed)

    def set_aside(self, name: str) -> None:
        self._away(name, self._failed)

    def _away(self, name: str, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / name
            number = 1
            while target.exists():
                number += 1
                target = folder / f"{name}.{number}"
            (self._inbound / name).rename(target)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ExchangeUnavailable(what=type(error).__name__) from error


class YearCloses(Protocol):
    """What payments tells the closes of fiscal years."""

    async def tell(self, program_id: str, fiscal_year: int, update: str, act: BaseModel, *, request: str) -> CloseView:
        """One act of a person; the close after it. The same request again is the same act, and has the same answer.

        Raises `MakerIsChecker`, `NothingToApprove`, `ListChanged`, `NotOpenEncumbrance`, `CloseRefused`, `NotFound`,
        `CloseNotAnswering`, `TemporalUnavailable`.
        """
        ...


class TemporalCloses:
    """The closes as Temporal runs them. The first act connects: doors open, and stay open, without Temporal."""

    def __init__(self, settings: ProcessSettings, *, client: Client | None = None) -> None:
        self._settings, self._client = settings, client
        self._connecting = asyncio.Lock()

    async def tell(self, program_id: str, fiscal_year: int, update: str, act: BaseModel, *, request: str) -> CloseView:
        handle: Any = (await self._connected()).get_workflow_handle(close_id(program_id, fiscal_year))
        try:
            return await handle.execute_update(
                update, act, id=request, result_type=CloseView, rpc_timeout=CLOSE_ANSWERS_WITHIN
            )
        except WorkflowUpdateFailedError as error:
            raise _refusal_of(error.cause) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise CloseNotAnswering from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotFound(kind="running close of that year") from error
            raise TemporalUnavailable from error

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                self._client = await connect(self._settings, wait_seconds=CONNECT_SECONDS_MAX)
            return self._client


def _refusal_of(cause: BaseException) -> CairnError:
    code = cause.type if isinstance(cause, ApplicationError) else None
    known = REFUSALS.get(code or "")
    return known() if known else CloseRefused(why=code or "rejected")


def _written_down(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _moved(staged: Path, target: Path) -> None:
    staged.replace(target)
    _kept(target.parent)


def _kept(folder: Path) -> None:
    """Without it a crash of the machine could forget a new name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
