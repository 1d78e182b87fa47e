"""Whether a request costs more as the database grows."""

import report
import sqlite
from operations import GraphQL
from rows import Rows
from servers import Ours

OPERATIONS = ("list", "open", "send")


def measure(bench, sizes, repeat, postgres, say):
    """The processor time of a request, of server and database together: {operation: {messages: µs}}."""
    found = {}
    for size in sizes:
        seeded = Rows(size, long=0)
        if postgres:
            say(f"growth on PostgreSQL: {size:,} messages")
            name = f"ours_{size}"
            postgres.create(name)
            bench.programs.migrate(postgres.database(name))
            postgres.ours(name, seeded)
            one(bench, postgres.database(name), seeded, repeat, postgres, "PostgreSQL", size, found)
            postgres.run(f"DROP DATABASE {name}")
        say(f"growth on SQLite: {size:,} messages")
        path = bench.folder / f"{size}.db"
        database = f"sqlite://{path}?mode=rwc"
        bench.programs.migrate(database)
        sqlite.ours(path, seeded)
        one(bench, database, seeded, repeat, None, "SQLite", size, found)
        path.unlink()
    return found


def one(bench, database, seeded, repeat, postgres, kind, size, found):
    with Ours(bench.programs.server, database, bench.folder, name=f"causerie on {kind}") as server:
        files = {operation: bench.prepare(server, GraphQL(), operation, seeded) for operation in OPERATIONS}
        runs = {operation: [] for operation in OPERATIONS}
        for _ in range(repeat):
            for operation, file in files.items():
                # With one connection nobody waits for anybody: few messages are of few users.
                runs[operation].append(bench.measure(server, file, 1, postgres))
        for operation, measured in runs.items():
            it = report.middle(measured)
            found.setdefault(f"{operation}, {kind}", {})[size] = it["server"] + it["database"]
