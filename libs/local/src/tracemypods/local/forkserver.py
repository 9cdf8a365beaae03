"""The process that the services are forked from, so that they share what they import.

It imports third-party packages once and nothing of ours: a forked service imports today's code,
just as `python -m tracemypods.token` does in a container, and starts in a fraction of the time
and memory. It is single-threaded, and takes its orders as lines of JSON on a socket.

    in   {"start": "token", "module": …, "environment": {…}, "log": path, "folder": path}
    out  {"ready": true, "missing": [names of packages that could not be imported]}
         {"started": "token", "pid": 123}
         {"exited": 123, "status": 0}      negative: the number of the signal

This is not multiprocessing's own forkserver, which keeps its starter waiting while it imports,
has a second helper process (the resource tracker), and starts functions rather than programs.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any, cast

from tracemypods.local.tether import die_with_parent, set_process_name


@dataclass(frozen=True)
class Job:
    """What a forked process is to become."""

    name: str
    module: str
    environment: dict[str, str]
    log: str
    folder: str


def preload(packages: list[str]) -> list[str]:
    """Import packages; returns the names of those that can't be."""
    missing: list[str] = []
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            missing.append(error.name or package)
    # What is frozen is not looked at by the children's collectors, and so stays shared.
    gc.collect()
    gc.freeze()
    return missing


def serve(channel: socket.socket, packages: list[str]) -> Job | None:
    """Fork on demand until the channel closes.

    Returns None then, and in each forked process the Job that it is to become.
    """
    wake_in, wake_out = os.pipe()
    os.set_blocking(wake_in, False)
    os.set_blocking(wake_out, False)
    signal.set_wakeup_fd(wake_out)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    children: set[int] = set()
    _send(channel, {"ready": True, "missing": preload(packages)})
    selector = selectors.DefaultSelector()
    selector.register(channel, selectors.EVENT_READ)
    selector.register(wake_in, selectors.EVENT_READ)
    received = b""
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if wake_in in ready:
            os.read(wake_in, 4096)
            _reap(channel, children)
        if channel not in ready:
            continue
        chunk = channel.recv(65536)
        if not chunk:
            # On Linux the kernel does this too; elsewhere nobody else does.
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            return None
        received += chunk
        *lines, received = received.split(b"\n")
        for line in lines:
            order = cast("dict[str, Any]", json.loads(line))
            name = str(order.pop("start"))
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                selector.close()
                channel.close()
                os.close(wake_in)
                os.close(wake_out)
                die_with_parent(parent)
                return Job(name, **order)
            children.add(pid)
            _send(channel, {"started": name, "pid": pid})


def become(job: Job) -> None:
    """Turn this forked process into the service; returns when the service has ended."""
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    set_process_name(f"pods-{job.name}")
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(job.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment)
    time.tzset()
    sys.argv = [job.module]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tracemypods"]:
        del sys.modules[name]
    runpy.run_module(job.module, run_name="__main__", alter_sys=True)


def _reap(channel: socket.socket, children: set[int]) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            _send(channel, {"exited": pid, "status": os.waitstatus_to_exitcode(status)})


def _send(channel: socket.socket, message: dict[str, object]) -> None:
    try:
        channel.sendall(json.dumps(message).encode() + b"\n")
    except BrokenPipeError:
        # The supervisor is gone, which the closed channel says on the next read.
        return


def main() -> None:
    """Run with the channel's file descriptor and the packages to import as arguments."""
    descriptor, *packages = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    set_process_name("pods-forkserver")
    job = serve(socket.socket(fileno=int(descriptor)), packages)
    if job is not None:
        become(job)


if __name__ == "__main__":
    main()
