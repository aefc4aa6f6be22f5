"""One run of `cairn demo` as a process of its own, watched from outside."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import asyncpg

from cairn.stack.engines import environment, settings_fields
from cairn.stack.layout import ROOT, Home
from kit.db import Database
from kit.settings import ProcessSettings
from kit.vault import Vault
from tests.journeys.post_mortem import post_mortem

END_SECONDS_MAX = 240.0
STOP_SECONDS_MAX = 120.0
POLL_SECONDS = 0.05
PERSONAL_VALUES = ("given_name", "family_name", "email", "ssn", "birth_date")
T = TypeVar("T")
TABLES = """
SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""


class DemoRun:
    """`with DemoRun(folder) as run: result = run.result()`; the stack stays up until the context ends."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.home = Home(folder / "home")
        self._output = folder / "demo.out"
        self._errors = folder / "demo.err"
        self._arguments = arguments

    def __enter__(self) -> Self:
        base = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_")}
        argv = [
            sys.executable,
            "-m",
            "cairn",
            "demo",
            "--json",
            "--stay",
            "--home",
            str(self.home.path),
            *self._arguments,
        ]
        with self._output.open("wb") as out, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                argv, cwd=ROOT, env=base, stdout=out, stderr=errors, start_new_session=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self.home.erase()

    def result(self) -> dict[str, Any]:
        """What the demo said, once it has said it."""
        self.wait_until(lambda: self._output.read_bytes().endswith(b"\n"), END_SECONDS_MAX, "the demo's result")
        return json.loads(self._output.read_text().splitlines()[-1])

    def wait_until(self, reached: Callable[[], bool], seconds_max: float, what: str) -> None:
        """Wait for something observable; the demo's own words where it ends or the bound passes first."""
        give_up = time.monotonic() + seconds_max
        while not reached():
            ended = self._process.poll()
            if ended is not None and not reached():
                raise AssertionError(f"the demo ended with {ended} before {what}:\n{self.words()}")
            if time.monotonic() > give_up:
                raise AssertionError(f"no {what} within {seconds_max:.0f} s:\n{self.words()}")
            time.sleep(POLL_SECONDS)

    def words(self) -> str:
        """The last the demo said, for a failing test's message."""
        texts = [path.read_text(errors="replace")[-3000:] for path in (self._errors, self._output) if path.exists()]
        for log in sorted(self.home.logs.glob("*.log")):
            lines = [line for line in log.read_text(errors="replace").splitlines() if "error" in line.lower()]
            texts.append(f"== {log.name}\n" + "\n".join(line[:400] for line in lines[-5:]))
        # Last: where a report is cut, its end is what stays.
        return "\n".join([*texts, "== what it waits for", post_mortem(self.environment())])

    def pid_of(self, unit: str) -> int:
        """The process that runs as this unit of the stack now."""
        return int(self.home.read_state()["units"][unit]["pid"])

    def journal(self, party: str) -> list[dict[str, Any]]:
        """What an outside party wrote down itself."""
        path = self.home.path / "parties" / f"{party}.jsonl"
        # The last line may still be on its way into the file.
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return [json.loads(line) for line in whole.splitlines()]

    def environment(self) -> dict[str, str]:
        """The settings of the running stack, for commands and connections of the test."""
        return dict(environment(self.home, self.home.read_state()["ports"]))

    def dump_database(self) -> bytes:
        """A logical dump of every schema, as text, made by PostgreSQL's own COPY."""

        async def dump(connection: asyncpg.Connection) -> bytes:
            # As hexadecimal, what a column of bytes holds would be found by nobody.
            await connection.execute("SET bytea_output = 'escape'")
            parts = []
            for schema, table in await connection.fetch(TABLES):
                content = io.BytesIO()
                await connection.copy_from_query(f'SELECT * FROM "{schema}"."{table}"', output=content)
                parts.append(f"-- {schema}.{table}\n".encode() + content.getvalue())
            return b"\n".join(parts)

        return self._in_database(dump)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """What a SELECT finds, in a transaction that can change nothing."""

        async def fetch(connection: asyncpg.Connection) -> list[dict[str, Any]]:
            async with connection.transaction(readonly=True):
                return [dict(row) for row in await connection.fetch(statement)]

        return self._in_database(fetch)

    def _in_database(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """`work` on a connection of the owner of every schema."""

        async def run() -> T:
            connection = await asyncpg.connect(self.settings().dsn("cairn_owner"))
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    def open_vault(self) -> list[dict[str, str]]:
        """What the vault keeps of each person, opened as the applications service may open it."""
        people = [row["subject_id"] for row in self.rows("SELECT subject_id FROM vault.data_subject_key ORDER BY 1")]

        async def read() -> list[dict[str, str]]:
            settings = self.settings()
            vault = Vault.from_settings(settings, reader="applications")
            database = await Database.connect(
                settings.dsn("cairn_applications"), schema="applications", application_name="test", connections_max=1
            )
            try:
                async with database.transaction() as tx:
                    return [
                        await vault.read(tx, person, PERSONAL_VALUES, purpose="test", request_id="test")
                        for person in people
                    ]
            finally:
                await database.close()

        return asyncio.run(read())

    def settings(self) -> ProcessSettings:
        """What a process of the running stack is told."""
        return ProcessSettings.model_validate(settings_fields(self.environment()))

    def cairn(self, *arguments: str) -> dict[str, Any]:
        """Run a `cairn` command against this stack; its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "cairn", *arguments, "--json"],
            cwd=ROOT,
            env={**os.environ, **self.environment(), "CAIRN_HOME": str(self.home.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)
