"""Fills an SQLite file, which a server has migrated, with one conversation: fill.py FILE USER MESSAGES"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "benches/compare"))

import rows
import sqlite


class Long:
    """One conversation of `count` messages, each of one to eight lines."""

    def __init__(self, user, count):
        self.user, self.count = user, count

    def accounts(self):
        yield self.user, self.count

    def threads(self):
        yield self.user, 1, "The long conversation", rows.instant(0, 0), rows.instant(1, 1), self.count

    def messages(self):
        for position in range(1, self.count + 1):
            number = (position + 1) // 2
            role = "user" if position % 2 else "assistant"
            text = f"Message {number}: " + "a few words of it " * (number * 7 % 40)
            yield self.user, 1, position, position, role, text.strip(), rows.instant(position, position)


path, user, count = sys.argv[1:]
sqlite.ours(path, Long(user, int(count)))
print(rows.conversation_id(1))
