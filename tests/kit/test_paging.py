import pytest

from kit.crypto import to_text
from kit.paging import (
    CursorUnknown,
    PageCursors,
    PreconditionFailed,
    PreconditionMissing,
    check_if_match,
    etag_of,
)

cursors = PageCursors(bytes(range(32)))


def test_a_cursor_comes_back_as_the_position_it_was_made_of() -> None:
    cursor = cursors.sign("cases|partner/a", ["2026-03-02T00:00:00Z", 7])
    assert cursors.verify("cases|partner/a", cursor) == ["2026-03-02T00:00:00Z", 7]
    assert cursors.verify("cases|partner/a", None) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "a" * 40,
        to_text(b"x" * 16 + b"[1]"),
        cursors.sign("cases|partner/b", [1]),
        cursors.sign("s", [1])[:-1],
    ],
)
def test_any_other_text_is_no_cursor_of_this_list(cursor: str) -> None:
    with pytest.raises(CursorUnknown):
        cursors.verify("cases|partner/a", cursor)
    with pytest.raises(CursorUnknown):
        PageCursors(bytes(32)).verify("s", cursors.sign("s", [1]))


def test_a_change_needs_the_tag_of_what_was_read() -> None:
    tag = etag_of("app_1", 3)
    assert tag != etag_of("app_1", 4)
    check_if_match(tag, tag)
    check_if_match(f'"older", {tag}', tag)
    check_if_match("*", tag)
    with pytest.raises(PreconditionMissing):
        check_if_match(None, tag)
    for other in ("", etag_of("app_1", 2), f"W/{tag}", tag.strip('"')):
        with pytest.raises(PreconditionFailed):
            check_if_match(other, tag)
