"""What a measurement ran on: a figure without its machine is no figure."""

import os
import platform
from pathlib import Path
from typing import Any

from fer_edge import __version__
from fer_edge.board import read_text
from fer_edge.runs import package_versions
from fer_edge.runtime import runtime_version

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def describe_machine() -> dict[str, Any]:
    """Returns processor, cores, load and versions, as plain values."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": cpu_name(),
        "n_cpus": len(affinity(0)) if affinity else os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "governor": read_text(GOVERNOR).strip(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "runtime": runtime_version(),
        "fer_edge": __version__,
        "versions": package_versions(),
    }


def cpu_name() -> str:
    """Returns the processor's name as the system gives it."""
    lines = [line.partition(":") for line in read_text(Path("/proc/cpuinfo")).splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in lines}
    # x86 says `model name`; a Raspberry Pi says `Model`, and `model` is a number on x86.
    return fields.get("model name") or fields.get("Model") or platform.machine()
