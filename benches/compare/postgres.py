"""The PostgreSQL that `scripts/with-postgres` has started."""

import os
import subprocess
from urllib.parse import urlsplit, urlunsplit

import processes
import tables

# The characters that COPY's text format wants escaped.
ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})


class Postgres:
    def __init__(self, url=None):
        self.url = url or os.environ["TEST_POSTGRES_URL"]

    def database(self, name):
        """The address of a database of the cluster's."""
        return urlunsplit(urlsplit(self.url)._replace(path="/" + name))

    def run(self, sql, database="postgres"):
        command = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql, self.database(database)]
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()

    def create(self, name):
        self.run(f"CREATE DATABASE {name}")

    def fill(self, database, tables_and_rows):
        for table, rows in tables_and_rows:
            # Foreign keys hold by the way the rows are made.
            copy = ["-c", "SET session_replication_role = replica", "-c", f"COPY {table} FROM STDIN"]
            command = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", *copy, self.database(database)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as psql:
                for row in rows:
                    psql.stdin.write("\t".join(map(field, row)) + "\n")
                psql.stdin.close()
                if psql.wait():
                    raise SystemExit(f"{table} could not be filled")
        self.run("VACUUM ANALYZE", database)
        self.run("CHECKPOINT")

    def ours(self, database, seeded):
        """Fills a database that the server has migrated."""
        self.fill(database, tables.ours(seeded))

    def peer(self, database, seeded):
        """Makes and fills the peer's tables."""
        self.run(tables.PEER.format(uuid="UUID", instant="TIMESTAMPTZ", now="DEFAULT now()"), database)
        self.fill(database, tables.peer(seeded))

    def size(self, database):
        """The bytes of a database's files."""
        return int(self.run("SELECT pg_database_size(current_database())", database))

    def processes(self):
        """The ids of all of its processes."""
        one = int(self.run(
            "SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'checkpointer'"))
        return processes.tree(processes.parent(one))

    def written(self):
        """How many bytes its write-ahead log has had so far."""
        return int(self.run("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def field(value):
    if value is None:
        return "\\N"
    return str(value).translate(ESCAPES)
