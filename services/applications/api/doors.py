"""What every door needs: the pool, the intake, the vault, who calls, cursors, the clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import BaseModel

from contracts.journey import Stage
from kit.access import Access, Principal
from kit.clock import Clock
from kit.db import Database
from kit.idempotency import Once
from kit.paging import PageCursors
from kit.vault import Vault
from services.applications.usecases.acting import Call
from services.applications.usecases.intake import Intake

V = TypeVar("V", bound=BaseModel)

StageParameter = Annotated[Stage | None, Query(alias="stage", description="Only cases that stand in this stage")]


@dataclass(frozen=True, slots=True)
class ApplicationsDoors:
    """Wired once by `main.open_doors`."""

    db: Database
    intake: Intake
    vault: Vault
    access: Access
    cursors: PageCursors
    clock: Clock
    public_url: str

    def call(self, principal: Principal, once: Once) -> Call:
        return Call(principal.id, once, self.clock.now())

    def after(self, scope: str, cursor: str | None) -> str | None:
        """The id after which the page begins."""
        position = self.cursors.verify(scope, cursor)
        return str(position[0]) if position else None

    def page(self, scope: str, found: Sequence[V], limit: int, id_of: Callable[[V], str]) -> tuple[list[V], str | None]:
        """`limit` items of one more than that, and the cursor of the next page if there is one."""
        items = list(found[:limit])
        return items, self.cursors.sign(scope, [id_of(items[-1])]) if len(found) > limit else None
