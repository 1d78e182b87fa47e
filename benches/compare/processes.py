"""What processes take, as /proc tells."""

import os
import re

TICKS = os.sysconf("SC_CLK_TCK")


def fields(pid):
    with open(f"/proc/{pid}/stat") as file:
        # The name before may hold anything.
        return file.read().rpartition(")")[2].split()


def parent(pid):
    return int(fields(pid)[1])


def tree(root):
    """A process and all below it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(parent(name), []).append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                pass
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def processor_times(pids):
    """The seconds, user and system, that each process has had of processors."""
    times = {}
    for pid in pids:
        try:
            values = fields(pid)
            times[pid] = (int(values[11]) + int(values[12])) / TICKS
        except (FileNotFoundError, ProcessLookupError):
            pass
    return times


def spent(before, after):
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def memory(pid, peak=False):
    """The resident memory in bytes, or the most that it was since `forget_peak`."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"%s:\s+(\d+)" % ("VmHWM" if peak else "VmRSS"), file.read())[1]) * 1024


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def busy():
    """The seconds that all processors together have worked since the machine started."""
    with open("/proc/stat") as file:
        values = [int(value) for value in file.readline().split()[1:]]
    return (sum(values[:8]) - values[3] - values[4]) / TICKS
