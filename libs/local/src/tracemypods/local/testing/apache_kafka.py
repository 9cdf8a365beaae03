"""A real Apache Kafka for tests, where there are Java and its jars; its data survives a kill.

The jars lie in a folder that TRACEMYPODS_TEST_KAFKA_LIBS names, or are fetched once with Maven
into the user's cache. Where neither works, tests are skipped with the reason.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tracemypods.local import ports, tether
from tracemypods.local.kafka import url
from tracemypods.local.probes import KafkaProbe, NotYet
from tracemypods.local.testing.waiting import until

LIBS_VARIABLE = "TRACEMYPODS_TEST_KAFKA_LIBS"
VERSION = "4.1.1"
_HEAP = "-Xmx384m"
_FETCH_SECONDS = 240

_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tracemypods</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class ApacheKafka:
    """The broker, which is its own controller. Use as a context manager, as with Kafka.

    It makes no topic by itself.
    """

    keeps = True

    def __init__(self) -> None:
        self._java = shutil.which("java") or pytest.skip("Apache Kafka needs java on the path")
        self._libs = jars()
        self._folder = tempfile.TemporaryDirectory(prefix="tracemypods-kafka-")
        self.port = ports.unused()
        self._controller = ports.unused([self.port])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return url(self.port)

    def __enter__(self) -> ApacheKafka:
        self._format()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, with the data that it had; no-op when it runs. Returns when it answers."""
        if self._process is not None:
            return
        with (Path(self._folder.name) / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                    *self._run("kafka.Kafka"),
                    str(self._properties),
                ],
                cwd=self._folder.name,
                stdout=log,
                stderr=log,
            )
        until(self._answers, "an answer of Apache Kafka")

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Hang it: it still accepts connections, and says nothing."""
        self._signal(signal.SIGSTOP)
        if self._process is not None:
            # The signal is not obeyed before it is delivered; what is sent meanwhile is answered.
            os.waitpid(self._process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @property
    def _properties(self) -> Path:
        return Path(self._folder.name) / "server.properties"

    def _run(self, program: str) -> list[str]:
        quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", _HEAP)
        return [self._java, *quick, "-cp", f"{self._libs}/*", program]

    def _format(self) -> None:
        self._properties.write_text(f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self._controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
log.dirs={self._folder.name}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=250
""")
        identity = urlsafe_b64encode(uuid4().bytes).rstrip(b"=").decode()
        subprocess.run(
            [
                *self._run("kafka.tools.StorageTool"),
                *("format", "-t", identity, "-c", str(self._properties)),
            ],
            check=True,
            capture_output=True,
        )

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            said = (Path(self._folder.name) / "log").read_text()[-2000:]
            raise AssertionError(f"Apache Kafka ended: {said}")
        try:
            asyncio.run(KafkaProbe(self.port).ask())
        except (NotYet, OSError):
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def jars() -> Path:
    """The folder with Kafka's jars, fetched if need be. Skips the test where that can't be."""
    given = os.environ.get(LIBS_VARIABLE)
    if given:
        return Path(given)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "tracemypods" / f"kafka-{VERSION}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip(f"Apache Kafka's jars are not there: no mvn on the path, no {LIBS_VARIABLE}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as new:
        (Path(new) / "pom.xml").write_text(_POM)
        command = (
            *(maven, "-q", "-B", "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", "-DoutputDirectory=libs"),
        )
        try:
            subprocess.run(
                command, cwd=new, check=True, timeout=_FETCH_SECONDS, capture_output=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"Apache Kafka's jars can't be fetched with Maven: {error}")
        with suppress(OSError):  # somebody else was faster
            (Path(new) / "libs").rename(folder)
    return folder
