"""Build the control plane that tests/cluster runs, from its Go modules.

    .venv/bin/python tests/cluster/build.py [FOLDER]     (.local/cluster unless given)

Needs Go 1.26 and its module proxy; programs go to FOLDER/bin, CRDs and kwok's stages to
FOLDER/share. Takes half an hour of two cores and 5 GB of Go's caches. What is there already in the
version that is named here is left alone, so that a broken run is simply started again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

KUBERNETES = "v1.37.2"


@dataclass(frozen=True)
class Program:
    """A program, the module that it is in, and its package below the module's path."""

    name: str
    module: str
    version: str
    package: str

    def place(self, folder: Path) -> Path:
        """Where it is once it is made."""
        return folder / "bin" / self.name


PROGRAMS = (
    *(
        Program(name, "k8s.io/kubernetes", KUBERNETES, f"/cmd/{name}")
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubectl",
        )
    ),
    Program("etcd", "go.etcd.io/etcd/server/v3", "v3.6.5", ""),
    Program("kwok", "sigs.k8s.io/kwok", "v0.8.0", "/cmd/kwok"),
    Program("helm", "helm.sh/helm/v4", "v4.3.2", "/cmd/helm"),
)


@dataclass(frozen=True)
class Files:
    """Files of a module, which go to a folder of that name; patterns are those of Path.glob."""

    name: str
    module: str
    version: str
    patterns: tuple[str, ...]

    def place(self, folder: Path) -> Path:
        """Where they are once they are copied."""
        return folder / "share" / self.name


SHARED = (
    Files(
        "stages",
        "sigs.k8s.io/kwok",
        "v0.8.0",
        (
            "kustomize/stage/node/fast/node-initialize.yaml",
            "kustomize/stage/node/heartbeat-with-lease/*heartbeat-with-lease.yaml",
            "kustomize/stage/pod/fast/pod-*.yaml",
            "kustomize/stage/volume/fast/pv*.yaml",
        ),
    ),
    Files("volumes", "sigs.k8s.io/kwok", "v0.8.0", ("kustomize/stage/volume/fast/storage-*.yaml",)),
)

sys.path.insert(0, str(ROOT / "scripts"))
import vendor_schemas  # noqa: E402 - which kinds the chart has, and where they are published

CRDS = tuple(
    Files(f"crds/{module.replace('/', '_')}", module, version, patterns)
    for (module, _, version), patterns in (
        (source.partition("@"), patterns) for source, patterns in vendor_schemas.SOURCES.items()
    )
)


class BuildError(Exception):
    """Something can't be built here; the message says what, and why."""


def go(*arguments: str, folder: Path) -> str:
    """Run the `go` command in `folder`; returns what it prints. Raises BuildError."""
    # Ours to set: which build of a module is made must not hang on who makes it.
    environment = {**os.environ, "GOWORK": "off", "CGO_ENABLED": "0"}
    done = subprocess.run(
        ["go", *arguments],  # noqa: S607 - wherever Go is on the path
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
    )
    if done.returncode:
        # Some of its commands say on the one, some on the other, what is wrong.
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise BuildError(f"go {' '.join(arguments[:2])}: {said}")
    return done.stdout


def downloaded(module: str, version: str, folder: Path) -> dict[str, str]:
    """What `go mod download` says of a module: Dir and GoMod are paths. Raises BuildError."""
    return json.loads(go("mod", "download", "-json", f"{module}@{version}", folder=folder))


def staged(go_mod: str, version: str, folder: Path) -> list[str]:
    """The replacements that Kubernetes needs outside its own repository.

    Its staging modules are named there by their folders; each is published under the same minor
    and patch version, with the major version 0.
    """
    read = json.loads(go("mod", "edit", "-json", go_mod, folder=folder))
    return [
        f"-replace={one['Old']['Path']}={one['Old']['Path']}@{version.replace('v1.', 'v0.', 1)}"
        for one in read.get("Replace") or ()
        if one["New"]["Path"].startswith("./staging/src/")
    ]


def prepare(module: str, version: str, folder: Path) -> None:
    """Make a module in `folder` that requires this one as its own repository builds it."""
    if (folder / "go.mod").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    go("mod", "init", "tracemypods.invalid/cluster", folder=folder)
    found = downloaded(module, version, folder)
    edits = [f"-require={module}@{version}", *staged(found["GoMod"], version, folder)]
    go("mod", "edit", *edits, folder=folder)


def flags(program: Program) -> list[str]:
    """How the linker is told the version, which clients read from the server and parse."""
    if program.module != "k8s.io/kubernetes":
        return ["-ldflags=-s -w"]
    major, minor, _ = program.version.removeprefix("v").split(".")
    facts = {"gitVersion": program.version, "gitMajor": major, "gitMinor": minor}
    named = (f"-X k8s.io/component-base/version.{name}={value}" for name, value in facts.items())
    return [f"-ldflags=-s -w {' '.join(named)}"]


def build(program: Program, folder: Path) -> None:
    """Build a program into `folder`/bin, whole or not at all. Raises BuildError."""
    module = folder / "modules" / f"{program.module.replace('/', '_')}@{program.version}"
    prepare(program.module, program.version, module)
    made = module / program.name
    package = f"{program.module}{program.package}"
    go("build", "-mod=mod", "-trimpath", *flags(program), "-o", str(made), package, folder=module)
    made.replace(program.place(folder))


def copy(files: Files, folder: Path) -> None:
    """Copy a module's files into `folder`/share. Raises BuildError when a pattern finds none."""
    module = Path(downloaded(files.module, files.version, folder)["Dir"])
    target = files.place(folder)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for pattern in files.patterns:
        found = sorted(module.glob(pattern))
        if not found:
            raise BuildError(f"{files.module} {files.version} has no {pattern}")
        for path in found:
            # Some are templates, of which only the first and last lines are not YAML.
            lines = [one for one in path.read_text().splitlines() if not one.startswith("{{")]
            (target / path.name).write_text("\n".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description="Build what `make test-cluster` runs.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / ".local" / "cluster")
    folder: Path = parser.parse_args().folder.resolve()
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    record = folder / "made.json"
    made: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    try:
        if shutil.which("go") is None:
            raise BuildError("Go is not here; install Go 1.26 or later")
        for one in (*SHARED, *CRDS, *PROGRAMS):
            want = repr(one)
            if made.get(one.name) == want and one.place(folder).exists():
                continue
            print(f"{one.name} {one.version} …", end=" ", flush=True)
            started = time.monotonic()
            copy(one, folder) if isinstance(one, Files) else build(one, folder)
            print(f"{time.monotonic() - started:.0f} s", flush=True)
            made[one.name] = want
            record.write_text(json.dumps(made, indent=1))
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"ready in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
