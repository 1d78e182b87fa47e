"""One measurement: an operation, at one server, over some seconds."""

import json
import os
import random
import re
import subprocess
import time

import operations
import processes
import tokens


class Bench:
    """What measurements need: programs, a folder for files, and how long each one takes."""

    def __init__(self, programs, folder, seconds, warm):
        self.programs, self.folder, self.seconds, self.warm = programs, folder, seconds, warm
        self.chance = random.Random(7)

    def replay(self, url, file, connections, seconds):
        start = self.chance.randrange(10_000)
        command = [self.programs.load, "replay", url, file, str(connections), str(seconds), str(start)]
        result = json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)
        if result["bad"]:
            raise SystemExit(f"{url}: {result['bad']} answers were bad, such as {result['sample']}")
        return result

    def prepare(self, server, api, operation, seeded):
        """Writes the requests of an operation to a file."""
        file = self.folder / (re.sub(r"\W+", "-", f"{server.name} {operation}") + ".tsv")
        requests = operations.prepare(server, api, operation, seeded)
        known = {user: tokens.token(user) for user in {user for user, _ in requests}}
        lines = ("\t".join((method, path, known[user], body)) for user, (method, path, body) in requests)
        file.write_text("\n".join(lines) + "\n")
        return file

    def measure(self, server, file, connections, postgres=None):
        """What requests cost the server and the database; `postgres` knows the processes of the latter."""
        self.replay(server.url, file, connections, self.warm)
        processes.forget_peak(server.pid)
        database = postgres.processes() if postgres else []
        written = postgres.written() if postgres else 0
        busy, begun = processes.busy(), time.monotonic()
        before = server.processor_times(), processes.processor_times(database)
        load = os.times()
        result = self.replay(server.url, file, connections, self.seconds)
        after = server.processor_times(), processes.processor_times(postgres.processes() if postgres else [])
        loaded = os.times()
        own, stored = (processes.spent(*pair) for pair in zip(before, after))
        generated = (loaded.children_user + loaded.children_system) - (load.children_user + load.children_system)
        wall = (time.monotonic() - begun) * os.cpu_count()
        count = result["requests"]
        return {
            "rate": count / result["seconds"],
            "p50": result["p50"],
            "p99": result["p99"],
            "server": own / count * 1e6,
            "database": stored / count * 1e6,
            "written": (postgres.written() - written) / count if postgres else None,
            "bytes": result["bytes"] / count,
            "memory": processes.memory(server.pid, peak=True),
            # What other programs of the machine took meanwhile.
            "others": max(0.0, (processes.busy() - busy - own - stored - generated) / wall),
        }

    def in_process(self, file, operation, conversations):
        """What SQLite does without a server."""
        command = [self.programs.in_process, file, operation, str(self.seconds), str(conversations)]
        before = os.times()
        result = json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)
        after = os.times()
        spent = (after.children_user + after.children_system) - (before.children_user + before.children_system)
        return {"rate": result["requests"] / result["seconds"], "server": spent / result["requests"] * 1e6}
