"""Measures the server beside one that was written by hand: `make bench`, and `make bench-growth`.

Ratios are of one run, in which all take turns: requests a second depend on what else the machine does, processor time a
request much less.
"""

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import growth
import operations
import pages
import sqlite
import statements
import words
from measurement import Bench
from operations import GraphQL, Rest
from postgres import Postgres
from programs import ROOT, Programs
from rows import Rows
from servers import Ours, Peer

CONNECTIONS = 12  # to the database, as is the server's default
PAIRS = [
    ("list, first page of 10,000", "list, page 200 of 10,000"),
    ("open, newest of 100,000", "open, middle of 100,000"),
    ("send, after 10", "send, after 100,000"),
]


def say(what):
    print(f"bench: {what}", file=sys.stderr, flush=True)


class Run:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.bench = Bench(Programs(), folder, options.seconds, options.warm)
        self.results = {}

    def wants(self, part):
        return not self.options.only or part in self.options.only

    def on_postgres(self):
        """Both servers, and pgbench on our statements, in turn."""
        postgres, seeded = Postgres(), Rows(self.options.messages)
        say("filling PostgreSQL")
        for name in ("ours", "peer"):
            postgres.create(name)
        self.bench.programs.migrate(postgres.database("ours"))
        before = postgres.size("ours")
        postgres.ours("ours", seeded)
        count = sum(messages for _, messages in seeded.accounts())
        self.results["sizes"] = {"message": (postgres.size("ours") - before) / count}
        postgres.peer("peer", seeded)
        programs = self.bench.programs
        with (Ours(programs.server, postgres.database("ours"), self.folder) as ours,
              Peer(programs.peer, postgres.database("peer"), self.folder, CONNECTIONS) as peer):
            pairs = [(ours, GraphQL()), (peer, Rest())]
            for server, api in pairs:
                operations.check(server, api, seeded)
            if self.wants("requests"):
                self.requests(postgres, pairs, seeded)
            if self.wants("deep"):
                self.deep(postgres, pairs, seeded)
        if self.wants("words"):
            database = postgres.database("ours")
            found = self.results.setdefault("words", {})
            for load in words.LOADS:
                say(f"PostgreSQL: {load[0]}")
                found[f"PostgreSQL, {load[0]}"] = words.measure(self.bench, database, load, postgres)
            say("PostgreSQL: readers at another server")
            name = f"PostgreSQL, {words.LOADS[0][0]}, read at another server"
            found[name] = words.measure(self.bench, database, words.LOADS[0], postgres, other=True)
        if self.wants("idle"):
            say("PostgreSQL: idle streams")
            self.results["idle"] = words.idle(self.bench, postgres.database("ours"))

    def requests(self, postgres, pairs, seeded):
        found = self.results.setdefault("requests", {})
        scripts = {}
        for _ in range(self.options.repeat):
            for operation in ("list", "open", "send"):
                files = [self.bench.prepare(server, api, operation, seeded) for server, api in pairs]
                for connections in (16, 64):
                    say(f"PostgreSQL: {operation}, {connections} connections")
                    servers = found.setdefault(f"{operation}@{connections}", {})
                    for (server, _), file in zip(pairs, files):
                        measured = self.bench.measure(server, file, connections, postgres)
                        servers.setdefault(server.name, []).append(measured)
                    if operation != "send" and connections == 16:
                        if operation not in scripts:
                            scripts[operation], _ = statements.record(
                                postgres, *pairs[0], operation, seeded, self.folder)
                        measured = statements.replay(
                            postgres, "ours", scripts[operation], connections, self.options.seconds)
                        servers.setdefault("pgbench, our statements", []).append(measured)

    def deep(self, postgres, pairs, seeded):
        found = self.results.setdefault("deep", {})
        for first, later in PAIRS:
            say(f"PostgreSQL: {later}")
            # One user's writes come one after another.
            connections = 1 if first.startswith("send") else 16
            for server, api in pairs:
                files = [self.bench.prepare(server, api, operation, seeded) for operation in (first, later)]
                runs = [[], []]
                for _ in range(self.options.repeat):
                    for file, measured in zip(files, runs):
                        measured.append(self.bench.measure(server, file, connections, postgres))
                found.setdefault(f"{first} -> {later}", {})[server.name] = runs

    def on_sqlite(self):
        say("filling SQLite")
        seeded, programs = Rows(self.options.messages), self.bench.programs
        path, limit = self.folder / "ours.db", self.folder / "peer.db"
        database = f"sqlite://{path}?mode=rwc"
        programs.migrate(database)
        sqlite.ours(path, seeded)
        sqlite.peer(limit, seeded)
        if self.wants("requests"):
            found = self.results.setdefault("sqlite", {})
            with Ours(programs.server, database, self.folder, name="causerie on SQLite") as server:
                operations.check(server, GraphQL(), seeded)
                for _ in range(self.options.repeat):
                    # The viewer's id is in the token: what is left is what any request costs.
                    for operation in ("viewer", "list", "open", "send"):
                        say(f"SQLite: {operation}")
                        file = self.bench.prepare(server, GraphQL(), operation, seeded)
                        both = found.setdefault(operation, {"causerie": []})
                        both["causerie"].append(self.bench.measure(server, file, 16))
                        if operation != "viewer":
                            there = self.bench.in_process(limit, operation, seeded.conversations)
                            both.setdefault("rusqlite", []).append(there)
        if self.wants("words"):
            say(f"SQLite: {words.LOADS[0][0]}")
            found = self.results.setdefault("words", {})
            found[f"SQLite, {words.LOADS[0][0]}"] = words.measure(self.bench, database, words.LOADS[0])

    def growth(self):
        postgres = None if self.options.database == "sqlite" else Postgres()
        self.results["growth"] = growth.measure(self.bench, self.options.growth, self.options.repeat, postgres, say)

    def write(self):
        target = ROOT / "target/bench"
        (target / "results.json").write_text(json.dumps(self.results, indent=1))
        print(pages.write(self.results, target, self.options.record))
        say(f"tables and plots are in {target}")


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000, help="how many messages users have beside the long conversation")
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes")
    parser.add_argument("--warm", type=float, default=1, help="how long requests are sent before each")
    parser.add_argument("--repeat", type=int, default=2, help="how often each is taken")
    parser.add_argument("--only", nargs="*", choices=["requests", "deep", "words", "idle"], help="measure only these")
    parser.add_argument("--database", choices=["postgres", "sqlite"], help="measure with only this one")
    parser.add_argument("--growth", nargs="+", type=int, metavar="MESSAGES", help="instead, measure at these sizes")
    parser.add_argument("--record", action="store_true", help="also write docs/performance.md and its plots")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    begun, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="causerie-bench."))
    try:
        run = Run(options, folder)
        if options.growth:
            run.growth()
        else:
            if options.database != "sqlite":
                run.on_postgres()
            if options.database != "postgres":
                run.on_sqlite()
        run.write()
    except BaseException:
        say(f"the logs of the servers are in {folder}")
        raise
    shutil.rmtree(folder)
    say(f"took {(time.monotonic() - begun) / 60:.1f} minutes")


main()
