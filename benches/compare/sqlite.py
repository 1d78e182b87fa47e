"""SQLite files with the seeded rows."""

import sqlite3

import tables


def fill(path, tables_and_rows):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    for table, rows in tables_and_rows:
        marks = ", ".join("?" * (table.count(",") + 1))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    connection.commit()
    # The statistics are the server's to keep, as they are on PostgreSQL.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def ours(path, seeded):
    """Fills the file of a server that has migrated it."""
    fill(path, tables.ours(seeded, tables.blob))


def peer(path, seeded):
    """Makes the file that is read and written in process."""
    connection = sqlite3.connect(path)
    connection.executescript(tables.PEER.format(uuid="BLOB", instant="TEXT", now=""))
    connection.close()
    fill(path, tables.peer(seeded, tables.blob))
