"""Engines without Cairn's processes: for tests and for work on one service.

`python -m cairn.stack.engines_only --home FOLDER [--engines postgres,kafka] [--while-held FILE] [--volatile] [--erase]`
"""

import argparse
import asyncio
import fcntl
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

from cairn.exits import Exit, Fault
from cairn.stack.engines import ENGINES, engines_of
from cairn.stack.layout import Home
from cairn.stack.secrets import make_secrets
from cairn.stack.supervisor import Supervisor, stop_signals


async def host(home: Home, names: list[str], *, durable: bool, while_held: Path | None, erase: bool) -> None:
    """Run these engines until a stop signal, or until nobody holds `while_held` any more."""
    with stop_signals() as asked:
        async with Supervisor(home, erase_at_end=erase) as stack:
            make_secrets(home)
            engines = engines_of(home, stack.ports, durable=durable)
            await stack.start([engines[name] for name in names])
            stack.ready()
            if while_held is not None:
                _when_let_go(while_held, asked)
            await asked.wait()


def _when_let_go(file: Path, asked: asyncio.Event) -> None:
    """Set `asked` once no process holds a shared lock on `file`: the kernel drops those of a killed holder."""
    loop = asyncio.get_running_loop()
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def wait() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        loop.call_soon_threadsafe(asked.set)

    threading.Thread(target=wait, daemon=True).start()


def main() -> NoReturn:
    parser = argparse.ArgumentParser(prog="python -m cairn.stack.engines_only", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--while-held", type=Path, default=None)
    parser.add_argument("--volatile", action="store_true", help="no fsync: for tests only")
    parser.add_argument("--erase", action="store_true", help="remove the data folder's contents at the end")
    given = parser.parse_args()
    code = Exit.OK
    try:
        names = [name for name in ENGINES if name in given.engines.split(",")]
        home = Home(given.home.absolute())
        asyncio.run(host(home, names, durable=not given.volatile, while_held=given.while_held, erase=given.erase))
    except Fault as fault:
        print(fault, file=sys.stderr)
        code = fault.exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    # A process that used temporalio can abort while the interpreter takes itself apart.
    os._exit(code)


if __name__ == "__main__":
    main()
