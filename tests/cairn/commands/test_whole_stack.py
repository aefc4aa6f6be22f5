"""`cairn up` to `cairn down`: every engine and process of one data folder, driven by commands only."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from joserfc.jwk import OKPKey

from cairn.exits import Exit
from cairn.stack.engines import ENGINES
from cairn.stack.layout import ROOT, Home
from cairn.stack.process import PROCESSES
from contracts.ids import ApplicationId
from tests.cairn.commands.calling import cairn
from tests.kit.kafka_tools import Sent, as_sent, envelope_of, send, withdrawn

POISON_SECONDS_MAX = 90.0


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A whole stack on a data folder of its own, and what `cairn up --detach --json` said of it."""
    home = tmp_path_factory.mktemp("stack")
    called = cairn(home, "up", "--detach", "--json")
    try:
        assert called.code == Exit.OK, called
        yield home, called.facts
    finally:
        cairn(home, "down")
        Home(home).erase()


def _status(home: Path) -> dict[str, Any]:
    return cairn(home, "status", "--json").facts


def test_everything_runs_and_says_where(up: tuple[Path, dict[str, Any]]) -> None:
    home, said = up
    status = cairn(home, "status", "--json")
    assert status.code == Exit.OK
    assert said["ok"] is True
    assert set(said["units"]) == set(status.facts["units"]) == {*ENGINES, *PROCESSES}
    assert {unit["state"] for unit in status.facts["units"].values()} == {"ready"}
    assert status.facts["environment"]["CAIRN_KAFKA_BOOTSTRAP"] == f"127.0.0.1:{said['ports']['kafka']}"
    for unit in status.facts["units"].values():
        assert Path(unit["log"]).exists()
    with urllib.request.urlopen(said["urls"]["openapi"], timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(said["urls"]["temporal_ui"], timeout=10) as answer:
        assert answer.status == 200


def test_a_second_stack_on_the_same_folder_is_refused(up: tuple[Path, dict[str, Any]]) -> None:
    home, said = up
    for arguments in (["up", "--detach"], ["up"]):
        called = cairn(home, *arguments)
        assert called.code == Exit.ALREADY_RUNNING
        assert f"in use by process {said['pid']}" in called.err


def test_preparation_may_be_repeated_while_it_runs(up: tuple[Path, dict[str, Any]]) -> None:
    home, _ = up
    assert cairn(home, "bootstrap", "--json").facts == {
        "ok": True,
        "database_created": False,
        "passwords_set": [],
        "migrations_applied": [],
        "topics_created": [],
        "namespace_created": False,
        "search_attributes_added": [],
        "schedules_set": [],
    }
    assert cairn(home, "migrate", "--json").facts == {"ok": True, "migrations_applied": []}


def test_a_pack_is_there_and_a_key_opens_the_api(up: tuple[Path, dict[str, Any]]) -> None:
    home, said = up
    loaded = cairn(home, "program", "load", str(ROOT / "programs" / "oh-imap"), "--json")
    assert loaded.code == Exit.OK, loaded
    assert loaded.facts["changed"] is False
    assert loaded.facts["schedules_set"] == []
    bad = cairn(home, "keys", "issue", "--kind", "partner", "--id", "Not A Slug", "--scope", "applications:read")
    assert bad.code == Exit.USAGE
    key = ("keys", "issue", "--kind", "partner", "--id", "portal", "--scope", "applications:read")
    issued = cairn(home, *key, "--json")
    assert issued.code == Exit.OK, issued
    url = f"{said['urls']['api']}/v1/programs"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=10)
    assert refused.value.code == 401
    refused.value.close()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {issued.facts['key']}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert b"oh-imap" in answer.read()


def test_the_first_call_of_the_operations_page(up: tuple[Path, dict[str, Any]]) -> None:
    """The commands of "The first call" as they stand there, with this stack's data folder."""
    home, _ = up
    page = (ROOT / "docs" / "operations.md").read_text()
    script = page[page.index("## The first call") :].split("```")[1]
    assert "up --detach" in script
    script = "\n".join(line for line in script.splitlines() if "up --detach" not in line)
    env = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_")}
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script.replace(".venv/bin", str(Path(sys.executable).parent))],
        cwd=ROOT,
        env=env | {"CAIRN_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    application = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    assert (application["program_id"], application["credential_id"]) == ("oh-imap", "lorain-coding")


def test_a_key_is_revoked_and_the_next_one_issued(up: tuple[Path, dict[str, Any]]) -> None:
    home, _ = up
    holder = ("--kind", "partner", "--id", "harbor")
    issue = ("keys", "issue", *holder, "--scope", "applications:read", "--json")
    first, second = (cairn(home, *issue).facts["key"] for _ in range(2))
    third = cairn(home, *issue)
    assert third.code == Exit.FAILED
    assert "`cairn keys revoke`" in third.facts["message"]
    prefix = first.split("_")[1]
    why = ("--reason", "the portal lost it", "--actor", "ops")
    assert cairn(home, "keys", "revoke", prefix, *why, "--json").facts["prefix"] == prefix
    listed = cairn(home, "keys", "list", *holder, "--ended", "--json").facts["keys"]
    assert {each["prefix"]: each["state"] for each in listed} == {prefix: "revoked", second.split("_")[1]: "live"}
    assert first.split("_")[2] not in json.dumps(listed)
    assert prefix not in cairn(home, "keys", "list", *holder).out
    assert cairn(home, *issue).code == Exit.OK
    missing = cairn(home, "keys", "revoke", "0" * 12, *why, "--json")
    assert (missing.code, missing.facts["code"]) == (Exit.FAILED, "not_found")
    unexplained = cairn(home, "keys", "revoke", prefix, "--reason", " ", "--json")
    assert (unexplained.code, unexplained.facts["code"]) == (Exit.FAILED, "act_unexplained")


def test_an_issuers_key_is_ended(up: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, _ = up
    jwk = tmp_path / "key.jwk"
    jwk.write_text(json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False)))
    key = ("--issuer", "lorain-ccc", "--kid", "key-1")
    why = ("--reason", "the issuer lost it", "--actor", "ops", "--json")
    assert cairn(home, "issuers", "add-key", *key, str(jwk)).code == Exit.OK
    assert cairn(home, "issuers", "end-key", *key, *why).facts["kid"] == "key-1"
    missing = cairn(home, "issuers", "end-key", "--issuer", "lorain-ccc", "--kid", "key-2", *why)
    assert (missing.code, missing.facts["code"]) == (Exit.FAILED, "not_found")


def test_a_parked_key_is_listed_and_tried_again(up: tuple[Path, dict[str, Any]]) -> None:
    home, _ = up
    service = ("--service", "notifications", "--json")
    assert cairn(home, "outbox", "list", *service).facts["parked"] == []

    def in_database(statement: str) -> list[Any]:
        async def run() -> list[Any]:
            url = _status(home)["environment"]["CAIRN_DATABASE_URL"]
            password = (home / "secrets" / "pg_cairn_owner.password").read_text()
            connection = await asyncpg.connect(url, user="cairn_owner", password=password)
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        return asyncio.run(run())

    in_database(
        "INSERT INTO notifications.outbox (shard, key, topic, event_id, type, headers, created_at)"
        " VALUES (0, 'a-key', 'cairn.nowhere', gen_random_uuid(), 'test', '[]', now())"
    )
    give_up = time.monotonic() + 60
    while not (parked := cairn(home, "outbox", "list", *service).facts["parked"]):
        assert time.monotonic() < give_up
    assert (parked[0]["topic"], parked[0]["key"], parked[0]["reason"]) == ("cairn.nowhere", "a-key", "topic_unknown")
    in_database(f"DELETE FROM notifications.outbox WHERE id = {parked[0]['outbox_id']}")
    why = ("--reason", "the row named a topic that is not there", "--actor", "ops")
    retried = cairn(home, "outbox", "retry", "cairn.nowhere", "a-key", *why, *service)
    assert retried.code == Exit.OK, retried
    assert cairn(home, "outbox", "list", *service).facts["parked"] == []
    again = cairn(home, "outbox", "retry", "cairn.nowhere", "a-key", *why, *service)
    assert (again.code, again.facts["code"]) == (Exit.FAILED, "not_found")
    [act] = in_database("SELECT act, subject, actor FROM notifications.operator_act")
    assert tuple(act) == ("outbox_retried", "cairn.nowhere/a-key", "ops")


@pytest.mark.parametrize("service", ["applications", "eligibility", "payments", "notifications", "workflows"])
def test_there_are_no_dead_letters(up: tuple[Path, dict[str, Any]], service: str) -> None:
    home, _ = up
    assert cairn(home, "dlq", "list", "--service", service, "--json").facts == {"ok": True, "dead_letters": []}
    missing = cairn(home, "dlq", "skip", "1", "--service", service, "--reason", "a try", "--json")
    assert missing.code == Exit.FAILED
    assert missing.facts["code"] == "not_found"


GOOD = withdrawn(ApplicationId.new())
POISON: dict[str, tuple[dict[str, bytes | None], bytes | None]] = {
    "envelope_unreadable": ({"ce_id": b"no-uuid"}, b"{}"),
    "type_unknown": ({"ce_type": b"cairn.applications.application.vanished.v1"}, b"{}"),
    "version_unknown": ({"ce_type": b"cairn.applications.application.withdrawn.v9"}, b"{}"),
    "value_missing": ({}, None),
    "not_json": ({}, b"\xff\xfe no JSON"),
    "schema_invalid": ({}, b'{"reason": 7}'),
}
"""What is wrong with a record of each kind: headers unlike a good record's, and the value."""


def poison(reason: str) -> Sent:
    headers, value = POISON[reason]
    key, _, good = as_sent(GOOD, envelope_of(GOOD))
    return key, value, list((dict(good) | headers).items())


def open_letters(home: Path, service: str, count: int) -> dict[str, dict[str, Any]]:
    """The open dead letters by reason, once there are so many."""
    give_up = time.monotonic() + POISON_SECONDS_MAX
    while True:
        found = cairn(home, "dlq", "list", "--service", service, "--json").facts["dead_letters"]
        if len(found) == count:
            return {letter["reason"]: letter for letter in found}
        assert time.monotonic() < give_up, found


def test_poison_is_buried_and_redriven_or_skipped_by_command(up: tuple[Path, dict[str, Any]]) -> None:
    """Every kind of bad record on a real topic; the bridge reads it, and so do the other services."""
    home, said = up
    bootstrap = f"127.0.0.1:{said['ports']['kafka']}"
    asyncio.run(send(bootstrap, *map(poison, POISON)))
    dlq = ("--service", "workflows", "--actor", "ada", "--json")
    first = open_letters(home, "workflows", len(POISON))
    assert first.keys() == POISON.keys()
    for reason in ("envelope_unreadable", "not_json"):
        shown = _shown(home, first[reason])
        key, value, headers = poison(reason)
        assert (shown["reason"], shown["key"], shown["acts"]) == (reason, key, [])
        assert value is not None
        assert shown["value"] == value.decode(errors="backslashreplace")
        assert shown["headers"]["ce_type"] == dict(headers)["ce_type"].decode()
        assert shown["explanation"]
    redriven = {"envelope_unreadable", "version_unknown", "not_json"}
    for reason in redriven:
        done = cairn(home, "dlq", "redrive", str(first[reason]["id"]), *dlq)
        assert done.facts == {"ok": True, "redriven": first[reason]["id"], "actor": "ada"}
    for reason in POISON.keys() - redriven:
        assert cairn(home, "dlq", "skip", str(first[reason]["id"]), "--reason", "a trial", *dlq).code == Exit.OK
    settled = cairn(home, "dlq", "skip", str(first["not_json"]["id"]), "--reason", "too late", *dlq)
    assert (settled.code, settled.facts["code"]) == (Exit.FAILED, "dead_letter_settled")
    skipped = _shown(home, first["type_unknown"])
    assert skipped["state"] == "skipped"
    [act] = skipped["acts"]
    assert (act["act"], act["actor"], act["reason"]) == ("skipped", "ada", "a trial")
    # Nothing mended them meanwhile: each comes back as a dead letter of its own.
    again = open_letters(home, "workflows", len(redriven))
    assert again.keys() == redriven
    assert {letter["id"] for letter in again.values()}.isdisjoint(letter["id"] for letter in first.values())
    # Behind the redriven records on the same partition: whoever has this one has stepped over those.
    asyncio.run(send(bootstrap, poison("type_unknown")))
    assert open_letters(home, "workflows", len(redriven) + 1).keys() == redriven | {"type_unknown"}
    # It has no handler for the type, so that only the type and the envelope are poison to it.
    of_any_type = {"envelope_unreadable", "type_unknown", "version_unknown"}
    assert open_letters(home, "eligibility", len(of_any_type) + 1).keys() == of_any_type


def _shown(home: Path, letter: dict[str, Any]) -> dict[str, Any]:
    called = cairn(home, "dlq", "show", str(letter["id"]), "--service", "workflows", "--json")
    return called.facts["dead_letter"]


def test_logs_are_shown_and_hold_json_lines(up: tuple[Path, dict[str, Any]]) -> None:
    home, _ = up
    called = cairn(home, "logs", "payments", "-n", "3")
    assert called.code == Exit.OK
    assert 0 < len(called.out.splitlines()) <= 3
    assert "payments" in cairn(home, "logs").out


def test_a_killed_process_comes_back(up: tuple[Path, dict[str, Any]]) -> None:
    home, said = up
    before = _status(home)["units"]["payments"]
    os.kill(before["pid"], signal.SIGKILL)
    give_up = time.monotonic() + 90
    while (now := _status(home)["units"]["payments"])["pid"] in {None, before["pid"]} or now["state"] != "ready":
        assert time.monotonic() < give_up, now
    assert now["restarts"] == before["restarts"] + 1
    assert now["ports"] == said["units"]["payments"]["ports"]


def test_down_leaves_nothing_and_the_next_up_keeps_ports_and_data(up: tuple[Path, dict[str, Any]]) -> None:
    home, said = up
    pids = [unit["pid"] for unit in _status(home)["units"].values()]
    assert cairn(home, "down", "--json").facts["stopped"] == said["pid"]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert cairn(home, "down").code == Exit.NOT_RUNNING
    again = cairn(home, "up", "--detach", "--json")
    assert again.code == Exit.OK, again
    assert again.facts["ports"] == said["ports"]
    keys = cairn(home, "keys", "issue", "--kind", "partner", "--id", "portal", "--scope", "applications:read")
    third = cairn(home, "keys", "issue", "--kind", "partner", "--id", "portal", "--scope", "applications:read")
    # Two keys of a holder live at once; the first one was issued before the restart.
    assert (keys.code, third.code) == (Exit.OK, Exit.FAILED)
