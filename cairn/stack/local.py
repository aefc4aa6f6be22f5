"""The whole local stack as one context: engines, what `cairn bootstrap` makes, then Cairn's processes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from cairn.stack.engines import engines_of, environment, settings_fields
from cairn.stack.layout import Home
from cairn.stack.process import processes_of
from cairn.stack.secrets import make_secrets
from cairn.stack.supervisor import Supervisor


@asynccontextmanager
async def local_stack(
    home: Home,
    *,
    fresh: bool = False,
    packs: Sequence[str] = (),
    on_change: Callable[[Supervisor], None] | None = None,
) -> AsyncIterator[Supervisor]:
    """Bring everything up and yield once all of it is ready; stop it in reverse order at the end.

    Of the program packs `packs`, by their folders' names, those are loaded whose program is not there yet.
    Raises a `Fault` of `cairn.stack.faults` that says what is missing or failed.
    """
    stack = Supervisor(home, fresh=fresh, on_change=on_change)
    async with stack:
        make_secrets(home)
        await stack.start(list(engines_of(home, stack.ports).values()))
        await _bootstrap(environment(home, stack.ports))
        await _load(packs, environment(home, stack.ports))
        await stack.start(processes_of(home, stack.ports))
        stack.ready()
        yield stack


async def _bootstrap(variables: Mapping[str, str]) -> None:
    from cairn.bootstrap.everything import bootstrap
    from kit.settings import ProcessSettings

    await bootstrap(ProcessSettings.model_validate(settings_fields(variables)))


async def _load(packs: Sequence[str], variables: Mapping[str, str]) -> None:
    from cairn.bootstrap.programs import publish
    from services.eligibility.settings import EligibilitySettings

    settings = EligibilitySettings.model_validate(settings_fields(variables))
    for name in packs:
        # A program that was loaded by hand may be newer than the checkout's: a start does not take it back.
        await publish(settings, settings.programs_dir / name, replace=False)


def addresses(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    """What a person opens or reads: the partner API, Temporal's UI, the mail that was sent."""
    return {
        "api": f"http://127.0.0.1:{ports['api']}",
        "openapi": f"http://127.0.0.1:{ports['api']}/openapi.json",
        "temporal_ui": f"http://127.0.0.1:{ports['temporal_ui']}/namespaces/cairn/workflows",
        "mail": str(home.path / "mail" / "new"),
    }


async def until_asked(asked: asyncio.Event, home: Home, **options: object) -> bool:
    """Run the stack until `asked` is set, even while it is still starting; whether it had become ready."""

    async def run() -> None:
        nonlocal was_ready
        async with local_stack(home, **options):  # type: ignore[arg-type]
            was_ready = True
            await asyncio.Event().wait()

    was_ready = False
    running = asyncio.create_task(run())
    waiting = asyncio.create_task(asked.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    running.cancel()
    await asyncio.wait({running})
    if not running.cancelled():
        running.result()
    return was_ready
