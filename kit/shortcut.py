"""A busy write door, answered without the framework's steps in between; what is not well-formed takes the long way."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from kit.access import Principal
from kit.idempotency import KEY_FORM, Answer, Once, once_of
from kit.problems import problem_of

_KEY = re.compile(KEY_FORM)
_SHORTCUTS = "cairn_shortcuts"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """The same door as the POST route at `path`: `let_in` as its dependency does, `act` as its endpoint does."""

    path: str
    command: type[BaseModel]
    let_in: Callable[[Request, str | None], Awaitable[Principal]]
    act: Callable[[Any, Principal, Once], Awaitable[Answer]]
    respond: Callable[[Answer], Response]

    async def answer(self, request: Request, body: bytes) -> Response | None:
        """`None`, and nothing done, where the route itself must say what is wrong with the request."""
        headers, scope = request.headers, request.scope
        key = headers.get("idempotency-key")
        if key is None or _KEY.fullmatch(key) is None or scope["query_string"]:
            return None
        if headers.get("content-type") != "application/json":
            return None
        try:
            command = self.command.model_validate_json(body)
        except ValidationError:
            return None
        scope["route"] = self
        try:
            principal = await self.let_in(request, headers.get("authorization"))
            once = once_of(principal=principal.name, key=key, method="POST", path=self.path, body=body)
            return self.respond(await self.act(command, principal, once))
        except Exception as error:
            response = await problem_of(request, error)
            if response is None:
                raise
            return response


def shorten(routes: APIRouter, *shortcuts: Shortcut) -> APIRouter:
    """`routes` with these shortcuts to some of them."""
    setattr(routes, _SHORTCUTS, shortcuts)
    return routes


def shortcuts_of(routes: APIRouter) -> dict[str, Shortcut]:
    """By path."""
    found: tuple[Shortcut, ...] = getattr(routes, _SHORTCUTS, ())
    return {one.path: one for one in found}
