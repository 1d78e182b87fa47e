"""The operations, as each server is asked for them."""

import http.client
import json
from urllib.parse import quote, urlsplit

import rows
import tokens

TEXT = "Could you move the dentist to Friday, and remind me on Thursday evening? Milk and bread are missing (%d)."

PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
LIST = """query List($first: Int, $after: String) {
  conversations(first: $first, after: $after) { edges { cursor node { id title createdAt updatedAt } } %s }
}""" % PAGE_INFO
OPEN = """query Open($id: ID!, $last: Int, $before: String) {
  conversation(id: $id) { id title createdAt updatedAt
    messages(last: $last, before: $before) { edges { cursor node { id role content position createdAt } } %s } }
}""" % PAGE_INFO
VIEWER = "query Viewer { viewer { id } }"
SEND = """mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    message { id role content position createdAt } reply { id role content position createdAt status }
    conversation { id title createdAt updatedAt }
  }
}"""


class GraphQL:
    """How causerie is asked. A request is its method, path and body."""

    def post(self, query, variables):
        return "POST", "/graphql", json.dumps({"query": query, "variables": variables})

    def viewer(self):
        return self.post(VIEWER, {})

    def list(self, first=20, after=None):
        return self.post(LIST, {"first": first} | ({"after": after} if after else {}))

    def open(self, conversation, last=50, before=None):
        return self.post(OPEN, {"id": conversation, "last": last} | ({"before": before} if before else {}))

    def send(self, conversation, text):
        return self.post(SEND, {"input": {"conversationId": conversation, "content": text}})

    def conversations(self, answer):
        return answer["data"]["conversations"]

    def messages(self, answer):
        return answer["data"]["conversation"]["messages"]


class Rest:
    """How the peer is asked."""

    def list(self, first=20, after=None):
        return "GET", f"/conversations?first={first}" + (f"&after={quote(after)}" if after else ""), ""

    def open(self, conversation, last=50, before=None):
        path = f"/conversations/{conversation}?last={last}" + (f"&before={quote(before)}" if before else "")
        return "GET", path, ""

    def send(self, conversation, text):
        return "POST", f"/conversations/{conversation}/messages", json.dumps({"content": text})

    def conversations(self, answer):
        return answer

    def messages(self, answer):
        return answer["messages"]


def ask(server, user, request):
    """Sends one request; returns its answer."""
    method, path, body = request
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    headers = {"Authorization": "Bearer " + tokens.token(user), "Content-Type": "application/json"}
    connection.request(method, path, body or None, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    answer = json.loads(text) if response.status == 200 else {"errors": text.decode()}
    if "errors" in answer:
        raise SystemExit(f"{server.name}: {response.status} {answer['errors']}")
    return answer


def prepare(server, api, operation, seeded):
    """The requests of an operation: each with its user."""
    # Neighbours would be in the same pages of the database.
    spread = [number * 7919 % seeded.conversations for number in range(min(seeded.conversations, 4000))]
    long, short = map(rows.conversation_id, (seeded.long_conversation(), seeded.short_conversation()))
    match operation:
        case "viewer":
            return [(rows.user(number), api.viewer()) for number in range(seeded.users)]
        case "list":
            return [(rows.user(number * 7919 % seeded.users), api.list()) for number in range(seeded.users)]
        case "open":
            return [(owner(number), api.open(rows.conversation_id(number))) for number in spread]
        case "send":
            return [(owner(number), api.send(rows.conversation_id(number), TEXT % index))
                    for index, number in enumerate(spread)]
        case "list, first page of 10,000":
            return [(rows.MANY_USER, api.list())]
        case "list, page 200 of 10,000":
            page = lambda cursor: api.list(100, cursor)
            return [(rows.MANY_USER, api.list(20, walk(server, rows.MANY_USER, page, api.conversations, "endCursor", 40)))]
        case "open, newest of 100,000":
            return [(rows.LONG_USER, api.open(long))]
        case "open, middle of 100,000":
            page = lambda cursor: api.open(long, 100, cursor)
            return [(rows.LONG_USER, api.open(long, 50, walk(server, rows.LONG_USER, page, api.messages, "startCursor", 500)))]
        case "send, after 10":
            return [(rows.SHORT_USER, api.send(short, TEXT % index)) for index in range(100)]
        case "send, after 100,000":
            return [(rows.LONG_USER, api.send(long, TEXT % index)) for index in range(100)]
    raise ValueError(operation)


def owner(conversation):
    return rows.user(conversation // rows.CONVERSATIONS)


def walk(server, user, page, connection, cursor, pages):
    """The cursor to which so many pages lead."""
    place = None
    for _ in range(pages):
        place = connection(ask(server, user, page(place)))["pageInfo"][cursor]
        if not place:
            raise SystemExit(f"{server.name} has fewer pages than it should")
    return place


def check(server, api, seeded):
    """Looks at answers before any are timed."""
    conversation = rows.conversation_id(3)
    listed = api.conversations(ask(server, rows.user(0), api.list()))
    opened = api.messages(ask(server, rows.user(0), api.open(conversation)))
    texts = [edge["node"]["content"] for edge in opened["edges"]]
    stored = [message[5] for message in seeded.messages() if message[1] == 3] if seeded.users == 1 else None
    right = (len(listed["edges"]) == 20 and len(opened["edges"]) == 50 and not opened["pageInfo"]["hasPreviousPage"]
             and stored in (None, texts))
    if not right:
        raise SystemExit(f"{server.name} does not answer as it should: {listed} {opened}")
