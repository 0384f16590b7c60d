"""What is built or resolved once and kept between runs, under the hash of what it is made from."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class BuildFailed(Exception):
    """A package manager could not resolve, or a compiler could not compile."""


def cache_directory() -> Path:
    """The user's cache directory for everything compat keeps."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(home) / "kbroker-compat"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def digest(*files: Path) -> str:
    """A short hash of the files' bytes."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def built(name: str, sources: Sequence[Path], build: Callable[[Path], None]) -> Path:
    """A directory that `build` fills, once for the same sources; BuildFailed passes through.

    It is filled under another name, and appears whole or not at all. So nothing in it may know its own
    path.
    """
    directory = cache_directory() / f"{name}-{digest(*sources)}"
    if directory.exists():
        return directory
    work = directory.with_name(f"{directory.name}.{os.getpid()}")
    work.mkdir()
    try:
        build(work)
        work.rename(directory)
    except OSError:
        if not directory.exists():  # Else another run was faster.
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return directory


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 900.0,
) -> str:
    """What a build command prints; BuildFailed with its last lines when it fails or hangs."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"{command[0]} did not end within {timeout_s:.0f} s") from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-40:])
        raise BuildFailed(f"{command[0]} ended with {done.returncode}\n{tail}")
    return done.stdout


def missing_tool(*tools: str) -> str | None:
    """The first of these programs that is not installed, as a reason."""
    return next((f"{tool} is not installed" for tool in tools if shutil.which(tool) is None), None)
