"""What everybody else does on this machine: when to begin, and which rounds they spoiled."""

import resource
import time
from dataclasses import dataclass

from processes import Process, core_busy_seconds

#: Share of one core beyond which a round is spoilt. The kernel's own work for a load is some of it.
SPOILT = 0.15
#: Share of all cores below which a machine is quiet, and for how long.
QUIET = 0.06
LOOK = 2.0


@dataclass
class Neighbours:
    """From its beginning on: processor time that is not that of our processes."""

    ours: list[Process]

    def __post_init__(self) -> None:
        self.clock = time.monotonic()
        self.busy = sum(core_busy_seconds().values())
        self.own = self.spent()

    def spent(self) -> float:
        """By us, by those of `ours` that still run, and by all that ran and ended meanwhile."""
        whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        usages = [resource.getrusage(who) for who in whose]
        return sum(one.ru_utime + one.ru_stime for one in usages) + sum(one.cpu_seconds() for one in self.ours)

    def share(self) -> float:
        """Of one core."""
        busy = sum(core_busy_seconds().values()) - self.busy
        return (busy - (self.spent() - self.own)) / (time.monotonic() - self.clock)


def wait_for_quiet(patience: float) -> bool:
    """Until nobody works, for `patience` seconds at most; nothing of ours may be at work."""
    until = time.monotonic() + patience
    while True:
        others = Neighbours([])
        time.sleep(LOOK)
        if others.share() < QUIET:
            return True
        if time.monotonic() > until:
            return False
