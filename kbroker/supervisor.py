"""Several brokers, a process each: started, watched and stopped together.

    start    fork → the child alone imports the broker → it says that it is ready
    ends     by itself: started again, after a pause that grows up to 5 s;
             before it was ready 4 times in a row: all stop, its exit code is ours
    signal   passed on, so that all stop cleanly; at a second one all are killed
    killed   the system kills the brokers with us

A node's pipe carries a mark when it is ready, or the sentence that says why it
can't start; its end is the news that the process has ended. Nothing else is
between the processes: log lines go straight to the common output, each in one
write, which a pipe takes whole up to 4 KiB.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from kbroker import logs
from kbroker.broker.start_error import StartError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kbroker.config import Config

log = logging.getLogger(__name__)

_ENDING = (signal.SIGTERM, signal.SIGINT)
_READY = b"\0"
_FAILED_STARTS = 4
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
# After so long a node's earlier ends are forgiven.
_STEADY_S = 10.0
_PR_SET_PDEATHSIG = 1


def supervise(configs: Sequence[Config]) -> int:
    """Run a broker for each until told to stop; the exit code. Raises StartError."""
    home = os.path.dirname(configs[0].log_directory)
    if os.path.exists(f"{home}/meta.properties"):
        raise StartError(
            f"The log directory {home} is that of a single broker: several keep theirs below one of their own"
        )
    supervisor = _Supervisor(configs)
    log.info(
        "Starting nodes %d to %d, each a cluster of its own so far",
        configs[0].node_id,
        configs[-1].node_id,
    )
    return supervisor.run()


class _Node:
    """One broker id and its process, if it has one."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.pid: int | None = None
        self.status = -1
        self.said = b""
        self.ready_at: float | None = None
        # When it is to be started, if it is not running.
        self.due: float | None = 0.0
        self.pause_s = _FIRST_PAUSE_S
        self.failed_starts = 0
        # As `os.waitstatus_to_exitcode` has it: negative for a signal.
        self.code = 0

    @property
    def name(self) -> str:
        return f"node {self.config.node_id}"

    @property
    def exit_code(self) -> int:
        return self.code if self.code >= 0 else 128 - self.code

    def how_it_ended(self) -> str:
        how = f"ended with exit code {self.code}" if self.code >= 0 else f"was ended by {_named(-self.code)}"
        sentence = self.sentence()
        return f"{how} ({sentence})" if sentence else how

    def sentence(self) -> str:
        return self.said.removeprefix(_READY).decode(errors="replace").rstrip(".")


def _named(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class _Supervisor:
    def __init__(self, configs: Sequence[Config]) -> None:
        self._nodes = [_Node(config) for config in configs]
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        # Of the whole, where no node's own is.
        self._exit_code: int | None = None

    def run(self) -> int:
        signals, woken = socket.socketpair()
        for end in (signals, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        for ending in _ENDING:
            signal.signal(ending, lambda *_: None)
        self._selector.register(signals, selectors.EVENT_READ)
        while self._start_due():
            for key, _ in self._selector.select(self._seconds_to_next_start()):
                if key.data is None:
                    for number in signals.recv(64):
                        self._on_signal(number)
                else:
                    self._on_status(key.data)
        if self._exit_code is not None:
            return self._exit_code
        return next((node.exit_code for node in self._nodes if node.exit_code), 0)

    def _start_due(self) -> bool:
        """Start whose time has come; False once there is nobody to wait for."""
        now = time.monotonic()
        for node in self._nodes:
            if node.due is not None and node.due <= now:
                self._start(node)
        return any(node.pid is not None or node.due is not None for node in self._nodes)

    def _seconds_to_next_start(self) -> float | None:
        due = [node.due for node in self._nodes if node.due is not None]
        return max(min(due) - time.monotonic(), 0) if due else None

    def _start(self, node: _Node) -> None:
        node.said, node.due = b"", None
        status, childs_end = os.pipe()
        parent = os.getpid()
        # Until the child has its own handlers, ours must not run in it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(status)
            node.code, node.said = 1, f"no process can be had: {error.strerror}".encode()
            self._start_again(node)
        else:
            if pid == 0:
                _be(node.config, childs_end, parent)
            node.pid, node.status = pid, status
            self._selector.register(status, selectors.EVENT_READ, node)
            log.info("%s is process %d", node.name.capitalize(), pid)
        finally:
            os.close(childs_end)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    # --- what happens --------------------------------------------------------------------------

    def _on_status(self, node: _Node) -> None:
        said = os.read(node.status, 4096)
        if not said:
            self._on_end(node)
            return
        node.said += said
        if node.ready_at is None and node.said.startswith(_READY):
            node.ready_at = time.monotonic()
            node.failed_starts = 0
            if all(other.ready_at is not None for other in self._nodes):
                log.info("All %d nodes are ready", len(self._nodes))

    def _on_end(self, node: _Node) -> None:
        assert node.pid is not None
        self._selector.unregister(node.status)
        os.close(node.status)
        node.code = os.waitstatus_to_exitcode(os.waitpid(node.pid, 0)[1])
        node.pid = None
        if not self._stopping:
            self._start_again(node)

    def _start_again(self, node: _Node) -> None:
        """After a pause, unless it has failed too often."""
        now = time.monotonic()
        if node.ready_at is None:
            node.failed_starts += 1
        elif now - node.ready_at >= _STEADY_S:
            node.pause_s = _FIRST_PAUSE_S
        node.ready_at = None
        if node.failed_starts == _FAILED_STARTS:
            self._give_up(node)
            return
        how, pause_s = node.how_it_ended(), node.pause_s
        log.warning("%s %s: started again in %.1f s", node.name.capitalize(), how, pause_s)
        node.due, node.pause_s = now + pause_s, min(pause_s * 2, _LONGEST_PAUSE_S)

    def _give_up(self, node: _Node) -> None:
        why = node.sentence() or f"{node.how_it_ended()} before it was ready"
        print(f"kbroker: {node.name}: {why}.", file=sys.stderr)
        self._exit_code = node.exit_code or 1
        self._stop(signal.SIGTERM, f"{node.name} can't be started")

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._stopping:
            self._exit_code = 128 + number
            self._stop(signal.SIGKILL, f"a second {name}")
        else:
            self._stop(number, name)

    def _stop(self, number: int, why: str) -> None:
        log.info("Stopping all nodes, because of %s", why)
        self._stopping = True
        for node in self._nodes:
            node.due = None
            if node.pid is not None:
                os.kill(node.pid, number)


# --- in the child ------------------------------------------------------------------------------


def _be(config: Config, status: int, parent: int) -> NoReturn:
    """Be the broker's process to its end."""
    code = 1
    try:
        _leave(parent)
        logs.set_up(config.str("kbroker.log.format"), config.str("kbroker.log.level"), config.node_id)
        from kbroker.broker.broker import run

        run(config, on_ready=lambda: os.write(status, _READY))
        code = 0
    except StartError as error:
        os.write(status, " ".join(str(error).split()).encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        # Nothing of the parent's stack is the child's to unwind.
        os._exit(code)


def _leave(parent: int) -> None:
    """Die with the parent, but hear of the terminal's Ctrl-C only from it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # It died before that was asked.
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
