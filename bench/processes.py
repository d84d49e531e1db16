"""Processes this benchmark starts: begin them pinned, read their cost, always end them."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Dead(Exception):
    """A process ended, or never got ready; the text says how and shows its last words."""


@dataclass
class Precedence:
    """Whether what is started runs before everybody else's work, whenever it has something to do."""

    wanted: bool = False


PRECEDENCE = Precedence()


def settle_in() -> None:
    """In the child: end when the benchmark ends, even if that is killed outright; go ahead of others if wanted."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if PRECEDENCE.wanted:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


class Process:
    """One started program and its children, in a process group of its own."""

    def __init__(self, command: list[str], core: int, folder: Path, name: str, env: dict[str, str] | None = None):
        self.command = ["taskset", "-c", str(core), *command]
        self.stdout = folder / f"{name}.stdout"
        self.stderr = folder / f"{name}.stderr"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.child = subprocess.Popen(
                self.command, cwd=folder, env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True, preexec_fn=settle_in,
            )

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.child.pid

    def is_alive(self) -> bool:
        return self.child.poll() is None

    def last_words(self) -> str:
        text = self.stderr.read_text(errors="replace") or self.stdout.read_text(errors="replace")
        return " / ".join(text.strip().splitlines()[-3:])

    def check_alive(self) -> None:
        if not self.is_alive():
            raise Dead(f"exit code {self.child.returncode}: {self.last_words()}")

    def first_line(self, timeout: float = 10.0) -> str:
        """The first line the program prints."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            line, ended, _ = self.stdout.read_text().partition("\n")
            if ended:
                return line
            self.check_alive()
            time.sleep(0.01)
        raise Dead(f"printed nothing within {timeout} s")

    def wait_until_listening(self, port: int, timeout: float = 15.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Dead(f"did not listen within {timeout} s: {self.last_words()}")

    def wait(self, timeout: float) -> int | None:
        """Its exit code, or None when it is still there after `timeout` seconds."""
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ends the whole group: asks first, then insists."""
        for how, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
            # The leader may be gone while a child of it lives on: the group is told either way.
            try:
                os.killpg(self.pid, how)
            except ProcessLookupError:
                break
            self.wait(patience)
            deadline = time.monotonic() + patience
            while group_exists(self.pid) and time.monotonic() < deadline:
                time.sleep(0.02)
        self.wait(10.0)

    def cpu_seconds(self) -> float:
        """User plus system time of the tree, including children that have ended."""
        return sum(stat_ticks(read(f"/proc/{pid}/stat")) for pid in tree(self.pid)) / TICKS

    def rss_bytes(self) -> int:
        """Resident memory of the tree; pages two processes share are counted in both."""
        return sum(statm_resident(read(f"/proc/{pid}/statm")) for pid in tree(self.pid)) * PAGE

    def forget_peak(self) -> None:
        """From now on the highest is what is resident now, and what comes."""
        for pid in tree(self.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_rss_bytes(self) -> int:
        """The most that was ever resident, or since `forget_peak`; of each process of the tree, added up."""
        return sum(status_bytes(read(f"/proc/{pid}/status"), "VmHWM") for pid in tree(self.pid))


def group_exists(group: int) -> bool:
    """Whether any process of the group still runs; one that only waits to be collected does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = read(str(stat)).rpartition(")")[2].split()
        if fields and fields[0] not in "ZX" and int(fields[2]) == group:
            return True
    return False


def read(path: str) -> str:
    """A file of /proc; empty when the process has just gone."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = [
        int(child)
        for thread in Path(f"/proc/{pid}/task").glob("*")
        for child in read(f"{thread}/children").split()
    ]
    return [pid, *(below for child in children for below in tree(child))]


def stat_ticks(stat: str) -> int:
    """utime + stime + cutime + cstime of a /proc/PID/stat line: its name may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])


def statm_resident(statm: str) -> int:
    fields = statm.split()
    return int(fields[1]) if len(fields) > 1 else 0


def status_bytes(status: str, field: str) -> int:
    """A size of /proc/PID/status, which gives them in KiB."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


def core_busy_seconds(stat: str | None = None) -> dict[int, float]:
    """Seconds each core has been busy since boot: everything but idle and waiting for disks."""
    busy = {}
    for line in (stat if stat is not None else read("/proc/stat")).splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            # user nice system idle iowait irq softirq steal; guest time is within user.
            counted = [int(tick) for tick in ticks[:8]]
            busy[int(name[3:])] = (sum(counted) - counted[3] - counted[4]) / TICKS
    return busy


def free_port() -> int:
    """A port nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
