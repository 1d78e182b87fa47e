"""Our own statements, replayed by pgbench: what PostgreSQL could answer if nothing stood before it."""

import re
import subprocess
import time
from pathlib import Path

import operations
import processes

ENTRY = re.compile(r"LOG:  duration: [\d.]+ ms  execute [^:]*: ")
DETAIL = re.compile(r"DETAIL:  parameters: (.*?)(?=\n\d{4}-\d\d-\d\d |\Z)", re.S)
VALUE = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")

# How many requests are recorded: each becomes a script, of which pgbench takes one after another at random.
REQUESTS = 48


def record(postgres, server, api, operation, seeded, folder):
    """Has the server do an operation while PostgreSQL logs it; returns the scripts for pgbench."""
    requests = operations.prepare(server, api, operation, seeded)[:REQUESTS]
    log = Path(postgres.run("SHOW data_directory")).parent / "postgres.log"
    scripts = []
    setting(postgres, "log_min_duration_statement = 0")
    try:
        for number, (user, request) in enumerate(requests):
            begin = log.stat().st_size
            operations.ask(server, user, request)
            statements = read(log, begin)
            script = folder / f"pgbench-{operation}-{number}.sql"
            script.write_text("".join(statement + ";\n" for statement in statements))
            scripts.append((script, len(statements)))
    finally:
        setting(postgres, "log_min_duration_statement = -1")
    usual = max(count for _, count in scripts)
    # A request beside which the server did something by the clock would bring that along.
    return [script for script, count in scripts if 0 < count <= usual], usual


def setting(postgres, value):
    postgres.run(f"ALTER SYSTEM SET {value}")
    postgres.run("SELECT pg_reload_conf()")
    time.sleep(0.3)


def read(log, begin):
    """The statements with values that were logged since `begin`."""
    with open(log, errors="replace") as file:
        file.seek(begin)
        text = file.read()
    statements = []
    for entry in ENTRY.finditer(text):
        rest = text[entry.end():]
        sql = re.split(r"\n\d{4}-\d\d-\d\d ", rest, maxsplit=1)[0]
        detail = DETAIL.search(rest)
        following = re.search(r"LOG:  duration", rest)
        values = {}
        if detail and (not following or detail.start() < following.start()):
            values = dict(VALUE.findall(detail[1].replace("\n\t", "\n")))
        sql = re.sub(r"\$(\d+)", lambda match: literal(values[match[1]]), sql.replace("\n\t", " "))
        if "GENERATING" not in sql and "pg_class" not in sql:
            statements.append(sql)
    return statements


def literal(value):
    # pgbench takes what follows a colon for a variable.
    return value if value == "NULL" else "E" + value.replace("\\", "\\\\").replace(":", "\\072").replace("\n", "\\n")


def replay(postgres, database, scripts, connections, seconds):
    """Runs the scripts; returns what an operation costs."""
    command = ["pgbench", "-n", "-M", "prepared", "-c", str(connections), "-j", "1"]
    for script in scripts:
        command += ["-f", str(script)]
    command.append(postgres.database(database))
    seconds = max(1, round(seconds))
    before = processes.processor_times(postgres.processes())
    with subprocess.Popen([*command, "-T", str(seconds)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as pgbench:
        # Its connections, and with them their times, are gone at its end.
        time.sleep(seconds - 0.2)
        after = processes.processor_times(postgres.processes())
        output, errors = pgbench.communicate()
    if pgbench.returncode:
        raise SystemExit(f"pgbench: {errors}")
    rate = float(re.search(r"tps = ([\d.]+)", output)[1])
    return {"rate": rate, "server": 0.0, "database": processes.spent(before, after) / (rate * (seconds - 0.2)) * 1e6}
