"""What every comparison appends to its record: a line of JSON with the date, the processor and the versions."""

import datetime
import importlib.metadata
import json
import platform


def append(path, versions, **rest):
    """Appends a line to the file at `path`; `versions` is a dictionary, or the names of installed packages."""
    if not isinstance(versions, dict):
        versions = {name: importlib.metadata.version(name) for name in versions}
    line = {"date": datetime.date.today().isoformat(), "cpu": cpu_name(), "versions": versions, **rest}
    with open(path, "a") as file:
        file.write(json.dumps(line) + "\n")


def cpu_name():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(x.split(":", 1)[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
