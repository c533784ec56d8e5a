"""The machine that figures were taken on, and how much of it was ours."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def describe() -> str:
    """CPU, memory, kernel, and what else ran: figures are worth little without."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cpu[1].strip() if cpu else platform.machine()}, {os.cpu_count()} cores, "
        f"{gibibytes:.0f} GiB, Linux {platform.release()}, load before {os.getloadavg()[0]:.1f}"
    )


def core_busy_ns(core: int) -> int:
    """Time that the core was not idle since it booted: whoever had it, and the host's share."""
    line = re.search(rf"^cpu{core} (.*)$", Path("/proc/stat").read_text(), re.M)
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line[1].split()[:8])
    return (user + nice + system + irq + softirq + steal) * TICK_NS
