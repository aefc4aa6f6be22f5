"""What can go wrong on the machine that runs the local stack, each with what to do about it."""

from pathlib import Path

from cairn.exits import Exit, Fault


class EnvironmentFault(Fault):
    """This machine lacks something that the local stack needs."""

    exit_code = Exit.ENVIRONMENT
    code = "environment"


class PortTaken(EnvironmentFault):
    """A remembered port is in use by another program."""

    code = "port_taken"

    def __init__(self, name: str, port: int) -> None:
        super().__init__(
            f"Port {port}, which this data folder keeps for {name}, is in use by another program. "
            "Stop that program, or start over on other ports with `cairn up --fresh`."
        )


class NoFreePorts(EnvironmentFault):
    """There is no run of free ports on loopback."""

    code = "no_free_ports"

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"No run of free ports was found on 127.0.0.1 between {first} and {last}.")


class DiskFull(EnvironmentFault):
    """There is too little room for the engines' data."""

    code = "disk_full"

    def __init__(self, path: Path, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"The disk that holds {path} has {free_bytes >> 20} MiB free; "
            f"the local stack needs {needed_bytes >> 20} MiB. Free some space, or point CAIRN_HOME at another disk."
        )


class NoNetwork(EnvironmentFault):
    """Kafka's jars are not in the cache and cannot be fetched."""

    code = "no_network"

    def __init__(self, coordinate: str, cache: Path, reason: str) -> None:
        super().__init__(
            f"Kafka's jars are not all in {cache}, and {coordinate} could not be fetched ({reason}). "
            "The first run needs the network; later runs do not. Mirrors are read from jgo's settings file."
        )


class JarMismatch(EnvironmentFault):
    """A fetched jar is not the one that was reviewed."""

    code = "jar_mismatch"

    def __init__(self, coordinate: str, expected: str, found: str) -> None:
        super().__init__(
            f"{coordinate} was fetched with SHA-256 {found}, but {expected} is expected. It is not used. "
            "The repository it came from serves a different file: check the mirror."
        )


class EngineMissing(EnvironmentFault):
    """An engine's wheel is not installed."""

    code = "engine_missing"

    def __init__(self, engine: str, package: str) -> None:
        super().__init__(f"{engine} is not installed: the package {package} is missing. Run `make setup`.")


class HomeUnsafe(EnvironmentFault):
    """A folder that should be ours belongs to somebody else."""

    code = "home_unsafe"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists and belongs to another user. Remove it, or set CAIRN_HOME to another folder.")


class HomeInUse(Fault):
    """Another stack runs on this data folder."""

    exit_code = Exit.ALREADY_RUNNING
    code = "already_running"

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"The data folder {path} is in use by {who}. `cairn down` stops it.")


class NotRunning(Fault):
    """No stack runs on this data folder."""

    exit_code = Exit.NOT_RUNNING
    code = "not_running"

    def __init__(self, path: Path) -> None:
        super().__init__(f"No local stack runs on {path}. `cairn up --detach` starts one.")


class UnitFailed(Fault):
    """An engine or process ended, or did not become ready in time."""

    code = "unit_failed"

    def __init__(self, name: str, reason: str, log: Path, tail: str) -> None:
        super().__init__(f"{name} {reason}. Its log is {log}; the last lines:\n{tail or '  (empty)'}")
        self.name = name
