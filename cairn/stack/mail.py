"""A mail sink: it takes every message and keeps it in a Maildir of the data folder; nothing leaves the machine."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cairn.stack.child import Launch
from cairn.stack.faults import EngineMissing
from cairn.stack.layout import ROOT, Home


@dataclass(frozen=True)
class Mail:
    """An SMTP server on loopback."""

    home: Home
    port: int

    name = "mail"
    port_names: Sequence[str] = ("mail",)
    ready_seconds_max = 30.0

    @property
    def folder(self) -> Path:
        return self.home.path / "mail"

    async def prepare(self) -> None:
        if importlib.util.find_spec("aiosmtpd") is None:
            raise EngineMissing("The mail sink", "aiosmtpd")

    def launch(self) -> Launch:
        door = ("-n", "-l", f"127.0.0.1:{self.port}", "-c", "cairn.stack.mail_sink.Sink", str(self.folder))
        return Launch(argv=[sys.executable, "-m", "aiosmtpd", *door], env=dict(os.environ), cwd=ROOT)

    async def check(self) -> None:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 2)
        with closing(writer):
            greeting = await asyncio.wait_for(reader.readline(), 2)
        if not greeting.startswith(b"220"):
            raise ConnectionError("the mail sink does not greet")
