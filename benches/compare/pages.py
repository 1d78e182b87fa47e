"""What is written of a run: a file beside the build and, if it is to be recorded, `docs/performance.md`."""

import os
import platform
import re
import subprocess
import time

import capacity
import plot
import report
from programs import ROOT

PAGE = ROOT / "docs/performance.md"
IMAGES = ROOT / "docs/images"

PARTS = [
    ("Requests on PostgreSQL", report.requests, "requests"),
    ("Large histories on PostgreSQL", report.deep, "deep"),
    ("Requests on SQLite", report.sqlite, "sqlite"),
    ("Words of replies", report.words, "words"),
    ("Idle event streams", report.idle, "idle"),
    ("By the number of messages", report.growth, "growth"),
]


def text(results):
    """All tables of a run."""
    parts = [(title, make(results[key])) for title, make, key in PARTS if results.get(key)]
    if {"requests", "words"} <= results.keys():
        parts.append(("A million daily users", capacity.plan(results)))
    return "\n".join(f"### {title}\n\n{body}" for title, body in parts)


def circumstances(results):
    """When and where it was measured, and how much the machine did beside."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True, capture_output=True).stdout
    runs = [run for servers in results.get("requests", {}).values() for runs in servers.values() for run in runs]
    others = [run["others"] for run in runs if "others" in run]
    busy = f"; other programs used up to {min(1, max(others)):.0%} of it meanwhile" if others else ""
    return (f"Measured on {time.strftime('%Y-%m-%d')}, commit {commit.strip()}, {os.cpu_count()} processors "
            f"({platform.machine()}), which clients, server and database share{busy}.\n")


def write(results, folder, record):
    """Writes tables and plots; returns the tables."""
    tables, plots = text(results), plot.everything(results)
    (folder / "results.md").write_text(tables)
    for name, picture in plots.items():
        (folder / name).write_text(picture)
        if record:
            (IMAGES / name).write_text(picture)
    if record:
        images = "".join(f"![{title}](images/{name})\n\n" for name, title in plot.TITLES.items() if name in plots)
        block(results, f"{circumstances(results)}\n{images}{tables}")
    return tables


def block(results, body):
    """Replaces the part of the page that this kind of run writes."""
    mark = "make bench-growth" if "growth" in results else "make bench"
    begin, end = f"<!-- `{mark} ARGS=--record` writes this. -->\n", f"<!-- End of what `{mark}` writes. -->\n"
    page = PAGE.read_text()
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    PAGE.write_text(re.sub(pattern, lambda _: f"{begin}\n{body}\n{end}", page, flags=re.S))
