"""What people tell the close of a fiscal year, and read of it, by HTTP or from the command line.

The close is a workflow: it counts who agreed. An act reaches it under an id that its request alone has, so a request
that is repeated, whatever died in between, is one act there too.
"""

import hashlib
import uuid
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.fiscal_year import UPDATE_AMEND, UPDATE_APPROVE, AmendClose, ApproveClose, CloseView
from kit.db import Connection, Database
from kit.idempotency import Answer, Once
from services.payments.books.fiscal_year import ActUnreadable
from services.payments.domain import person
from services.payments.gateways import YearCloses
from services.payments.usecases import fiscal_year
from services.payments.usecases.answered.asked import Asked
from services.payments.views.fiscal_years import (
    CloseShown,
    LineAmended,
    ListAgreed,
    YearLinesShown,
    YearShown,
    close_shown,
    lines_shown,
    year_shown,
)

LINES_PER_PAGE = 200
Message = TypeVar("Message", bound=BaseModel)


async def approve_year(asked: Asked, program_id: str, year: int, body: ListAgreed, *, closes: YearCloses) -> Answer:
    """Agree to a year's list, as one of two different people."""
    message = _message(ApproveClose, actor=person(asked.by), **body.model_dump())

    async def act(tx: Connection) -> CloseShown:
        return close_shown(await closes.tell(program_id, year, UPDATE_APPROVE, message, request=_request(asked.once)))

    return await asked.answer(act)


async def amend_year(asked: Asked, program_id: str, year: int, body: LineAmended, *, closes: YearCloses) -> Answer:
    """Change what becomes of one encumbrance of a year's list."""
    message = _message(AmendClose, actor=person(asked.by), **body.model_dump())

    async def act(tx: Connection) -> CloseShown:
        return close_shown(await closes.tell(program_id, year, UPDATE_AMEND, message, request=_request(asked.once)))

    return await asked.answer(act)


async def approve_at_desk(
    program_id: str, year: int, *, actor: str, digest: str, note: str, closes: YearCloses
) -> CloseView:
    """`approve_year` from the command line, where the caller sees what became of it."""
    message = _message(ApproveClose, actor=person(actor), digest=digest, note=note)
    return await closes.tell(program_id, year, UPDATE_APPROVE, message, request=uuid.uuid4().hex)


async def amend_at_desk(
    program_id: str, year: int, *, actor: str, encumbrance: str, disposition: str, reason: str, closes: YearCloses
) -> CloseView:
    """`amend_year` from the command line."""
    message = _message(AmendClose, actor=person(actor), encumbrance=encumbrance, disposition=disposition, reason=reason)
    return await closes.tell(program_id, year, UPDATE_AMEND, message, request=uuid.uuid4().hex)


async def read_year(program_id: str, year: int, *, db: Database) -> YearShown:
    """Where the books of a year stand."""
    return year_shown(program_id, year, await fiscal_year.status_of_year(program_id, year, db=db))


async def read_lines(program_id: str, year: int, *, after: str | None, db: Database) -> YearLinesShown:
    """One page of a year's list."""
    found = await fiscal_year.lines_of_close(program_id, year, after=after or "", count_max=LINES_PER_PAGE + 1, db=db)
    return lines_shown(found, page=LINES_PER_PAGE)


def _message(kind: type[Message], **values: Any) -> Message:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ActUnreadable(why=why) from error


def _request(once: Once) -> str:
    return hashlib.sha256(b"\n".join((once.principal.encode(), once.key_digest, once.fingerprint))).hexdigest()
