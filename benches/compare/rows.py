"""The rows that every database is filled with: the same on each run, and for each of the servers that are compared.

A user has 20 conversations of 50 messages. One more user has 10,000 empty conversations, one has a conversation of
100,000 messages, and one has a conversation of 10.
"""

from datetime import datetime, timedelta, timezone

CONVERSATIONS = 20
MESSAGES = 50
MANY_USER, MANY = "user-many", 10_000
LONG_USER, LONG = "user-long", 100_000
SHORT_USER, SHORT = "user-short", 10

BEGIN = datetime(2025, 1, 1, tzinfo=timezone.utc)
TEXT = (
    "I would like to plan the week: first the shopping (milk, eggs and bread), then a call with \"Anna\" about the "
    "journey, and at last the report for work. Could you remind me on Thursday at nine? I forget the small things, so "
    "a short list helps; please keep it in order of time.\nNote also:\n- the dentist has moved to Friday\n- the car "
    "needs new tyres\nThat is all for now, thank you. "
) * 4


def user(number):
    return "user-%06d" % number


def conversation_id(number):
    return "01900000-0000-7000-8000-%012x" % number


def message_id(number):
    return "01900001-0000-7000-8000-%012x" % number


def instant(seconds, number):
    """An instant in milliseconds that are never none, so that all are texts of the same length."""
    moment = BEGIN + timedelta(seconds=seconds, milliseconds=1 + number % 998)
    return moment.isoformat(timespec="milliseconds")


class Rows:
    """The rows for `size` messages beside those of the long conversation, which has `long`."""

    def __init__(self, size, long=LONG):
        self.users = max(1, size // (CONVERSATIONS * MESSAGES))
        self.conversations = self.users * CONVERSATIONS
        self.long = long

    def accounts(self):
        """Each user, and how many messages they have."""
        for number in range(self.users):
            yield user(number), CONVERSATIONS * MESSAGES
        yield MANY_USER, 0
        yield LONG_USER, self.long
        yield SHORT_USER, SHORT

    def threads(self):
        """Each conversation: user, number, title, times of creation and of the last message, number of messages."""
        for number in range(self.conversations):
            active = instant(8_000_000 + (number * 7919 % self.conversations) * 61, number)
            title = "Conversation %d about the plan for the week" % number
            yield user(number // CONVERSATIONS), number, title, instant(number * 60, number), active, MESSAGES
        number = self.conversations
        for index in range(MANY):
            created = instant(index * 60, index)
            yield MANY_USER, number + index, "Conversation %d of many" % index, created, created, 0
        yield LONG_USER, self.long_conversation(), "The long conversation", instant(0, 0), instant(1, 1), self.long
        yield SHORT_USER, self.short_conversation(), "The short conversation", instant(0, 0), instant(1, 1), SHORT

    def long_conversation(self):
        return self.conversations + MANY

    def short_conversation(self):
        return self.conversations + MANY + 1

    def messages(self):
        """Each message: user, conversation, number, position, role, text, time; `number - 1` is the one before it."""
        number = 0
        for owner, conversation, _, _, _, count in self.threads():
            for position in range(1, count + 1):
                number += 1
                start, length = (conversation * 37 + position * 101) % 1200, 200 + (conversation * 61 + position * 17) % 200
                role = "user" if position % 2 else "assistant"
                created = instant(conversation * 60 + position, position)
                yield owner, conversation, number, position, role, TEXT[start:start + length], created
