"""Notices go out in the person's language, once each, with an address that is opened only to send them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from contracts.ids import NoticeId, PersonId
from contracts.personal import Contact
from kit.clock import FixedClock
from kit.db import Database
from kit.vault import Vault
from services.notifications.domain import NOTICE_ATTEMPTS_MAX
from services.notifications.gateways.mail import MailRefused, SmtpMail
from services.notifications.letters import Letter, Letters
from services.notifications.usecases.reading import notices_of
from services.notifications.usecases.sending import NoticeDesk, send_due_notices
from tests.services.notifications.sample import NOW, PROVIDER, Case, program, publish, rows, take_in

PROGRAMS = Path(__file__).parents[3] / "programs"
GIVEN_NAME, EMAIL = "Yesenia-Canary", "yesenia.canary@mail.example"


class MailSink:
    """Takes every letter; answers `replies` first, one per letter."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.replies: list[str] = []
        self.connections = 0
        self.port = 0

    def connect(self) -> SMTP:
        self.connections += 1
        return SMTP(self)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.replies:
            return self.replies.pop(0)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.letters.append(message)
        return "250 taken"


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    handler = MailSink()
    server = await asyncio.get_running_loop().create_server(handler.connect, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    yield handler
    server.close()
    await server.wait_closed()


@pytest.fixture
async def fresh(fresh_database: Any) -> Any:
    return await fresh_database()


@pytest.fixture
async def db(fresh: Any, database_for: Any) -> Database:
    return await database_for("notifications", on=fresh)


@pytest.fixture
async def vault() -> Vault:
    return Vault(kek=bytes(range(32)), reader="notifications")


@pytest.fixture
async def person(fresh: Any, database_for: Any, vault: Vault) -> tuple[PersonId, str]:
    """A person the vault knows, and their contact as it travels."""
    applications: Database = await database_for("applications", on=fresh)
    person_id = PersonId.new()
    contact = Contact(given_name=GIVEN_NAME, email=EMAIL).model_dump_json().encode()
    async with applications.transaction() as tx:
        sealed = await vault.admit(tx, person_id, seal={"contact": contact})
    return person_id, sealed["contact"]


@pytest.fixture
async def case(db: Database, person: tuple[PersonId, str]) -> Case:
    await publish(db)
    return Case(language="es", person_id=person[0], sealed_contact=person[1])


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def desk(db: Database, vault: Vault, sink: Any, clock: FixedClock) -> AsyncIterator[NoticeDesk]:
    mail = SmtpMail(host="127.0.0.1", port=sink.port, timeout_seconds=5, clock=clock)
    letters = Letters.load(PROGRAMS, default_program="oh-imap")
    yield NoticeDesk(db=db, vault=vault, letters=letters, mail=mail, clock=clock)
    await mail.close()


async def send_all(desk: NoticeDesk) -> None:
    while await send_due_notices(desk, slots=4):
        pass


async def facts(db: Database) -> list[dict[str, Any]]:
    return [
        {"type": row["type"].split(".")[3], **json.loads(bytes(row["payload"]))}  # type: ignore[attr-defined,arg-type]
        for row in await rows(db, "SELECT type, payload FROM outbox ORDER BY id")
    ]


async def test_a_case_is_told_in_spanish_and_in_order(desk: NoticeDesk, case: Case, sink: Any, db: Database) -> None:
    for fact in (case.submitted(), case.held(), case.voucher(1), case.recorded()):
        await take_in(db, fact)
    await send_all(desk)
    assert [str(letter["Subject"]) for letter in sink.letters] == [
        "Recibimos su solicitud",
        "Usted cumple los requisitos; el dinero está reservado",
        "Su vale de examen está listo",
        "Su credencial está registrada",
    ]
    for letter in sink.letters:
        assert letter["To"].addresses[0].addr_spec == EMAIL
        assert letter["From"].addresses[0].addr_spec == "imap-notices@cairn.example"
        plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
        assert plain is not None
        assert html is not None
        assert f"Hola, {GIVEN_NAME}:" in plain.get_content()
        assert GIVEN_NAME in html.get_content()
    told = await facts(db)
    assert [fact["type"] for fact in told] == ["sent"] * 4
    assert {fact["language"] for fact in told} == {"es"}


async def test_one_connection_serves_letter_after_letter(desk: NoticeDesk, case: Case, sink: Any, db: Database) -> None:
    for fact in (case.submitted(), case.held(), case.voucher(1)):
        await take_in(db, fact)
        await send_all(desk)
    assert (len(sink.letters), sink.connections) == (3, 1)


@pytest.mark.parametrize("address", ["a@b.example,c@d.example", "<a@b.example>", "a@b.example\r\nBcc:c@d.example", "a"])
async def test_what_is_not_one_address_is_never_handed_over(address: str, sink: Any, clock: FixedClock) -> None:
    mail = SmtpMail(host="127.0.0.1", port=sink.port, timeout_seconds=5, clock=clock)
    sender = Letters.load(PROGRAMS, default_program="oh-imap").sender("oh-imap")
    with pytest.raises(MailRefused, match="address_not_writable"):
        await mail.hand_over(
            Letter("Hello", "Hello", "<p>Hello</p>"), to=address, sender=sender, language="en", notice_id=NoticeId.new()
        )
    assert sink.connections == 0


async def test_the_message_id_names_the_notice(desk: NoticeDesk, case: Case, sink: Any, db: Database) -> None:
    await take_in(db, case.submitted())
    await send_all(desk)
    notice = (await rows(db, "SELECT notice_id FROM notice"))[0]
    assert sink.letters[0]["Message-ID"] == f"<{notice['notice_id']}@cairn.example>"


async def test_a_notice_waits_for_its_contact(desk: NoticeDesk, case: Case, sink: Any, db: Database) -> None:
    await take_in(db, case.held())
    await send_all(desk)
    assert sink.letters == []
    await take_in(db, case.submitted())
    await send_all(desk)
    assert len(sink.letters) == 2


async def test_a_refusal_for_the_moment_is_tried_again(
    desk: NoticeDesk, case: Case, sink: Any, db: Database, clock: FixedClock
) -> None:
    sink.replies = ["451 later"]
    await take_in(db, case.submitted())
    await send_all(desk)
    assert sink.letters == []
    clock.advance(timedelta(seconds=6))
    await send_all(desk)
    assert len(sink.letters) == 1
    assert (await rows(db, "SELECT state, attempts FROM notice")) == [{"state": "sent", "attempts": 2}]


async def test_a_refusal_for_good_is_told_at_once(desk: NoticeDesk, case: Case, sink: Any, db: Database) -> None:
    sink.replies = ["550 no such mailbox"]
    await take_in(db, case.submitted())
    await send_all(desk)
    assert [(fact["type"], fact["reason"]) for fact in await facts(db)] == [("failed", "mail_refused")]


async def test_attempts_are_bounded(desk: NoticeDesk, case: Case, sink: Any, db: Database, clock: FixedClock) -> None:
    sink.replies = ["451 later"] * 100
    await take_in(db, case.submitted())
    for _ in range(NOTICE_ATTEMPTS_MAX + 3):
        await send_all(desk)
        clock.advance(timedelta(hours=24))
    assert len(sink.replies) == 100 - NOTICE_ATTEMPTS_MAX
    assert [(fact["type"], fact["reason"]) for fact in await facts(db)] == [("failed", "mail_unavailable")]


async def test_a_forgotten_person_is_written_to_no_more(
    desk: NoticeDesk, case: Case, sink: Any, db: Database, fresh: Any, database_for: Any, vault: Vault
) -> None:
    await take_in(db, case.submitted())
    async with (await database_for("applications", on=fresh)).transaction() as tx:
        await vault.shred(tx, case.person_id)
    await send_all(desk)
    assert sink.letters == []
    assert [(fact["type"], fact["reason"]) for fact in await facts(db)] == [("failed", "person_forgotten")]


async def test_two_senders_send_a_notice_once(desk: NoticeDesk, case: Case, sink: Any, db: Database) -> None:
    for fact in (case.submitted(), case.held(), case.voucher(1)):
        await take_in(db, fact)
    await asyncio.gather(send_all(desk), send_all(desk), send_all(desk))
    await send_all(desk)
    assert len(sink.letters) == 3


async def test_a_sender_that_died_leaves_a_lease_that_runs_out(
    desk: NoticeDesk, case: Case, sink: Any, db: Database, clock: FixedClock
) -> None:
    from services.notifications.domain import LEASE
    from services.notifications.store.notices import take_due_notices

    await take_in(db, case.submitted())
    async with db.transaction() as tx:
        assert len(await take_due_notices(tx, limit=5, now=clock.now(), lease=LEASE)) == 1
    await send_all(desk)
    assert sink.letters == []
    clock.advance(LEASE + timedelta(seconds=1))
    await send_all(desk)
    assert len(sink.letters) == 1


async def test_reading_an_address_is_audited(desk: NoticeDesk, case: Case, db: Database, fresh: Any) -> None:
    import asyncpg

    await take_in(db, case.submitted())
    await send_all(desk)
    notice = (await rows(db, "SELECT notice_id FROM notice"))[0]
    owner = await asyncpg.connect(fresh.owner_dsn)
    try:
        read = await owner.fetch("SELECT reader, purpose, request_id FROM vault.key_read WHERE purpose LIKE '%notice'")
    finally:
        await owner.close()
    assert [tuple(row) for row in read] == [("cairn_notifications", "notifications:notice", notice["notice_id"])]


async def test_no_row_and_no_log_line_names_the_person(
    desk: NoticeDesk,
    case: Case,
    sink: Any,
    db: Database,
    fresh: Any,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import asyncpg

    caplog.set_level(logging.DEBUG)
    sink.replies = ["451 later for <yesenia.canary@mail.example>", "550 no <yesenia.canary@mail.example>"]
    for fact in case.story():
        await take_in(db, fact)
    await send_all(desk)
    owner = await asyncpg.connect(fresh.owner_dsn)
    try:
        tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'notifications'")
        dump = [await owner.fetch(f"SELECT t::text FROM notifications.{row['tablename']} AS t") for row in tables]
    finally:
        await owner.close()
    # The sink's own log quotes what it was sent; it is the outside.
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    everything = repr(dump) + repr(lines) + capsys.readouterr().out
    assert "mail_unavailable" in everything
    assert "canary" not in everything.lower()


OFFICE = "claims@lorain-ccc.example"


async def test_a_provider_is_told_by_letter_what_its_claim_lacks(
    desk: NoticeDesk, case: Case, sink: Any, db: Database
) -> None:
    await publish(db, program(contact_email=OFFICE, version=1))
    await take_in(db, case.submitted())
    await take_in(db, case.returned())
    await send_all(desk)
    [letter] = [one for one in sink.letters if one["To"].addresses[0].addr_spec == OFFICE]
    plain = letter.get_body(("plain",)).get_content()
    assert "- Missing: proof of payment." in plain
    assert "- It was claimed before." in plain
    assert GIVEN_NAME not in plain
    [told] = [fact for fact in await facts(db) if fact["type"] == "defects_notified"]
    assert (told["claim_id"], told["provider_id"]) == (case.claim_id, PROVIDER)
    assert told["way"] == "letter"
    assert told["notified_at"] == NOW.isoformat().replace("+00:00", "Z")


async def test_a_persons_silent_mailbox_keeps_no_provider_from_its_letter(
    desk: NoticeDesk, case: Case, sink: Any, db: Database
) -> None:
    await publish(db, program(contact_email=OFFICE, version=1))
    sink.replies = ["451 later"]
    await take_in(db, case.submitted())
    await send_due_notices(desk, slots=4)
    await take_in(db, case.returned())
    await send_all(desk)
    assert [letter["To"].addresses[0].addr_spec for letter in sink.letters] == [OFFICE]


@pytest.mark.parametrize("listed_before", [False, True])
async def test_a_provider_without_a_listed_office_is_left_to_people(
    desk: NoticeDesk, case: Case, sink: Any, db: Database, listed_before: bool
) -> None:
    if listed_before:
        await publish(db, program(contact_email=OFFICE, version=1))
    await take_in(db, case.submitted())
    await send_all(desk)
    await take_in(db, case.returned())
    await publish(db, program(version=2))
    await send_all(desk)
    assert len(sink.letters) == 1
    assert [fact["type"] for fact in await facts(db)] == ["sent"]


async def test_what_a_provider_is_told_is_not_among_what_the_person_was_told(
    desk: NoticeDesk, case: Case, db: Database
) -> None:
    await publish(db, program(contact_email=OFFICE, version=1))
    for fact in (case.submitted(), case.returned()):
        await take_in(db, fact)
    await send_all(desk)
    found = await notices_of(case.id, partner_id=None, db=db)
    assert [one.template for one in found] == ["application_received"]
