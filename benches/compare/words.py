"""Words of replies on their way to readers, and streams on which nothing happens."""

import json
import os
import subprocess
import time

import processes
import rows
import tokens
from servers import Ours, free_port

# (name, replies, words of each, words a second)
LOADS = [("200 replies of 50 words/s", 200, 250, 50), ("1,000 replies of 20 words/s", 1000, 250, 20)]
STREAMS = 1000


def write_tokens(folder, count):
    file = folder / "tokens"
    file.write_text("".join(tokens.token("reader-%06d" % number) + "\n" for number in range(count)))
    return file


def measure(bench, database, load, postgres=None, other=False):
    """Has replies written, and read at the server that writes or at another one."""
    name, replies, words, rate = load
    port = free_port()
    arguments = ["--assistant-url", f"http://127.0.0.1:{port}/v1", "--assistant-model", "clock",
                 "--max-replies", "5000"]
    file = write_tokens(bench.folder, replies)
    with Ours(bench.programs.server, database, bench.folder, arguments, "causerie, words") as writer:
        command = [bench.programs.load, "words", writer.url, "-", str(port), str(file), str(replies), str(words), str(rate)]
        if not other:
            return run(command, words, [writer], postgres)
        with Ours(bench.programs.server, database, bench.folder, arguments, "causerie, reading") as reader:
            command[3] = reader.url
            return run(command, words, [writer, reader], postgres)


def run(command, words, servers, postgres):
    stored = processes.processor_times(postgres.processes()) if postgres else {}
    before = [server.processor_times() for server in servers]
    load = os.times()
    result = json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)
    after, loaded = [server.processor_times() for server in servers], os.times()
    # A server without processors left refuses what it cannot do in time; what it has accepted comes whole.
    if result["lost"] > result["failed"] * words:
        raise SystemExit(f"{result['lost']} words were lost: {result['sample']}")
    spent = sum(processes.spent(*times) for times in zip(before, after))
    read = (loaded.children_user + loaded.children_system) - (load.children_user + load.children_system)
    database = processes.spent(stored, processes.processor_times(postgres.processes())) if postgres else 0.0
    return result | {
        "server": spent / result["words"] * 1e6,
        "database": database / result["words"] * 1e6,
        "client": read / result["words"] * 1e6,
        "memory": processes.memory(servers[0].pid, peak=True),
    }


def idle(bench, database):
    """What event streams take on which nothing happens, and what the server takes without any."""
    file = write_tokens(bench.folder, STREAMS)
    with Ours(bench.programs.server, database, bench.folder, name="causerie, idle") as server:
        time.sleep(1)
        rest = processes.memory(server.pid)
        command = [bench.programs.load, "idle", server.url, str(file), str(STREAMS)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
            if load.stdout.readline() != "open\n":
                raise SystemExit("the streams could not be opened")
            peak = processes.memory(server.pid, peak=True)
            time.sleep(10)
            settled = processes.memory(server.pid)
            load.stdin.close()
            load.stdout.read()
        return {"rest": rest, "stream": (settled - rest) / STREAMS, "peak": (peak - rest) / STREAMS,
                "ready": server.ready_after * 1000}
