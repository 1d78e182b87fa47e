"""The seeded rows, as the tables of the server and of the peer have them."""

import json
import uuid

import rows

ACCOUNT = "account (user_id, revision, created_at)"
CONVERSATION = (
    "conversation (user_id, id, title, title_key, title_origin, last_position, read_position, created_at, updated_at,"
    " revision)"
)
MESSAGE = (
    "message (user_id, id, conversation_id, parent_id, position, active, role, assistant_id, status, content,"
    " finish_reason, usage, attempt, created_at, finished_at, created_revision, revision)"
)

# What somebody writes by hand: enough for the three operations, and fast at them.
PEER = """
CREATE TABLE conversation (
    id {uuid} PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, title TEXT NOT NULL,
    created_at {instant} NOT NULL, updated_at {instant} NOT NULL
);
CREATE TABLE message (
    id {uuid} PRIMARY KEY NOT NULL, conversation_id {uuid} NOT NULL REFERENCES conversation (id), user_id TEXT NOT NULL,
    position BIGINT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, created_at {instant} NOT NULL {now},
    UNIQUE (conversation_id, position)
);
CREATE INDEX conversation_list ON conversation (user_id, updated_at DESC, id DESC);
"""
PEER_CONVERSATION = "conversation (id, user_id, title, created_at, updated_at)"
PEER_MESSAGE = "message (id, conversation_id, user_id, position, role, content, created_at)"


def ours(seeded, identify=str):
    """Each table of the server's with its rows. The search index is left to the messages that are sent."""
    conversation = lambda number: identify(rows.conversation_id(number))
    message = lambda number: identify(rows.message_id(number))

    def accounts():
        for user, count in seeded.accounts():
            yield user, count + 1, rows.instant(0, 0)

    def conversations():
        for user, number, title, created, updated, count in seeded.threads():
            yield (user, conversation(number), title, title.lower(), "MESSAGE", count, count, created, updated,
                   count + 1)

    def messages():
        for user, thread, number, position, role, text, created in seeded.messages():
            reply = role == "assistant"
            yield (user, message(number), conversation(thread), message(number - 1) if position > 1 else None, position,
                   True, role.upper(), "default" if reply else None, "COMPLETE", text, "STOP" if reply else None,
                   usage(position, text) if reply else None, int(reply), created, created, position, position)

    return [(ACCOUNT, accounts()), (CONVERSATION, conversations()), (MESSAGE, messages())]


def usage(position, text):
    """What a reply has taken, which each one says that a server has written."""
    output = len(text) // 4
    return json.dumps({"input_tokens": min(position - 1, 200) * output, "output_tokens": output})


def peer(seeded, identify=str):
    """Each table of the peer's with its rows."""

    def conversations():
        for user, number, title, created, updated, _ in seeded.threads():
            yield identify(rows.conversation_id(number)), user, title, created, updated

    def messages():
        for user, thread, number, position, role, text, created in seeded.messages():
            yield (identify(rows.message_id(number)), identify(rows.conversation_id(thread)), user, position, role, text,
                   created)

    return [(PEER_CONVERSATION, conversations()), (PEER_MESSAGE, messages())]


def blob(text):
    """An id as SQLite stores it."""
    return uuid.UUID(text).bytes
