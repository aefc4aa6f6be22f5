"""The packs that this process has parsed. A version never changes, so what was parsed once is good for good."""

from contracts.program import Pack
from kit.db import Connection
from services.eligibility import store
from services.eligibility.domain import ProgramUnknown
from services.eligibility.packs import LoadedPack

VERSIONS_MAX = 32


class PackShelf:
    """Packs by program and version, at most `VERSIONS_MAX` in memory."""

    def __init__(self) -> None:
        self._packs: dict[tuple[str, str], LoadedPack] = {}

    async def take(self, tx: Connection, program_id: str, pack_version: str | None = None) -> LoadedPack:
        """This version of the program, or the current one. `ProgramUnknown` where there is none."""
        version = pack_version or await store.current_version(tx, program_id)
        if version is None:
            raise ProgramUnknown(program_id=program_id, pack_version="")
        found = self._packs.get((program_id, version))
        if found is not None:
            return found
        content = await store.content(tx, program_id, version)
        if content is None:
            raise ProgramUnknown(program_id=program_id, pack_version=version)
        loaded = LoadedPack(Pack.model_validate_json(content), content, version)
        while len(self._packs) >= VERSIONS_MAX:
            self._packs.pop(next(iter(self._packs)))
        self._packs[program_id, version] = loaded
        return loaded
