"""The three error families, grouped by what the caller must do next.

Every named error of a service derives from one of them; each door maps the family once: HTTP to a problem document,
Temporal to a failure that is or is not retried, Kafka to dead letter or pause.
"""

from typing import ClassVar


class CairnError(Exception):
    """Something the caller has to deal with.

    A subclass's docstring is its message, formatted with the facts given as keyword arguments.
    `code` is stable and public (problem documents, dead-letter reasons); `pointer` names the faulty input, if one is.
    """

    code: ClassVar[str] = "error"

    def __init__(self, *, pointer: str | None = None, **facts: object) -> None:
        self.facts = facts
        self.pointer = pointer
        template = (type(self).__doc__ or self.code).strip().splitlines()[0]
        super().__init__(template.format(**facts))


class Refused(CairnError):
    """The request cannot be accepted as it is."""

    code = "refused"
    status: ClassVar[int] = 422


class NotFound(Refused):
    """There is no such {kind} here."""

    code = "not_found"
    status = 404


class Forbidden(Refused):
    """This caller may not do that."""

    code = "forbidden"
    status = 403


class Conflict(CairnError):
    """It is already done, or something else happened first."""

    code = "conflict"
    status: ClassVar[int] = 409


class Unavailable(CairnError):
    """Something that is needed does not answer just now; try again."""

    code = "unavailable"
    status: ClassVar[int] = 503
