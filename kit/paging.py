"""Keyset cursors that callers can neither read into nor forge, and entity tags for changes that must not cross."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Annotated, TypeAlias, cast

from fastapi import Header, Query

from contracts.errors import Refused
from kit.crypto import Undecipherable, from_text, to_text

_TAG_BYTES = 16
CURSOR_CHARS_MAX = 1024
PAGE_MAX = 100

Position: TypeAlias = Sequence[str | int]
CursorParameter = Annotated[
    str | None, Query(alias="cursor", max_length=CURSOR_CHARS_MAX, description="`next` of the page before")
]
LimitParameter = Annotated[int, Query(alias="limit", ge=1, le=PAGE_MAX, description="Most items on one page")]
IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=200, description="`ETag` of what was read")]


class CursorUnknown(Refused):
    """The cursor is not one that this list gave out."""

    code = "cursor_unknown"
    status = 400


class PreconditionMissing(Refused):
    """The change needs an If-Match header with the ETag of what was read."""

    code = "precondition_missing"
    status = 428


class PreconditionFailed(Refused):
    """It has changed since it was read: read it again."""

    code = "precondition_failed"
    status = 412


class PageCursors:
    """Signs and verifies where a page ends. `scope` names list, caller and filters: a cursor fits no other."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, scope: str, position: Position) -> str:
        """The opaque cursor of a position: the sort keys of the page's last row."""
        body = json.dumps(list(position), separators=(",", ":")).encode()
        return to_text(self._tag(scope, body) + body)

    def verify(self, scope: str, cursor: str | None) -> list[str | int] | None:
        """The position, None without a cursor; `CursorUnknown` for any other text."""
        if cursor is None:
            return None
        try:
            raw = from_text(cursor)
        except Undecipherable:
            raise CursorUnknown(pointer="/query/cursor") from None
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(scope, body)):
            raise CursorUnknown(pointer="/query/cursor")
        return cast("list[str | int]", json.loads(body))

    def _tag(self, scope: str, body: bytes) -> bytes:
        return hmac.digest(self._key, scope.encode() + b"\x00" + body, "sha256")[:_TAG_BYTES]


def etag_of(*parts: str | int) -> str:
    """A strong entity tag (RFC 9110 §8.8.3) of what identifies one version: an id and its version number."""
    return '"' + hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32] + '"'


def check_if_match(if_match: str | None, current: str) -> None:
    """Refuse a change to anything but the version that was read; `*` is any version."""
    if if_match is None:
        raise PreconditionMissing(pointer="/header/if-match")
    tags = [tag.strip() for tag in if_match.split(",")]
    if "*" not in tags and current not in tags:
        raise PreconditionFailed(pointer="/header/if-match")
