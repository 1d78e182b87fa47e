// The protocol's rules for clients that break them: which message closes the socket, and with which code.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import WebSocket from 'ws';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;
const url = `${server.replace('http', 'ws')}/graphql`;
const init = { type: 'connection_init', payload: { authorization: `Bearer ${token}` } };

class Socket {
  constructor(protocols = 'graphql-transport-ws', options) {
    this.ws = new WebSocket(url, protocols, options);
    this.messages = [];
    this.waiting = [];
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.ws.on('message', (data) => {
      this.messages.push(JSON.parse(data));
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  static async open(...options) {
    const socket = new Socket(...options);
    await once(socket.ws, 'open');
    return socket;
  }

  static async ready() {
    const socket = await Socket.open();
    socket.send(init);
    assert.deepEqual(await socket.next(), { type: 'connection_ack' });
    return socket;
  }

  send(message) {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async next() {
    while (this.messages.length === 0) await new Promise((wake) => this.waiting.push(wake));
    return this.messages.shift();
  }
}

const subscribe = (id, query, more) => ({ type: 'subscribe', id, payload: { query, ...more } });
const forever = 'subscription { changes { __typename } }';

for (const protocols of [[], ['graphql-ws'], ['graphql-ws', 'other']]) {
  test(`subprotocols [${protocols}]: refused`, async () => {
    const socket = new Socket(protocols);
    const end = await Promise.race([
      socket.closed,
      once(socket.ws, 'error').then(([error]) => ({ reason: error.message })),
    ]);
    // A client that offers others only may fail by itself when none of them is taken.
    if (end.code) assert.equal(end.code, 4406);
    else assert.match(end.reason, /subprotocol/i);
  });
}

test('the subprotocol is taken among others', async () => {
  const socket = await Socket.open(['graphql-ws', 'graphql-transport-ws']);
  assert.equal(socket.ws.protocol, 'graphql-transport-ws');
  socket.ws.close();
});

test('a handshake with a bad token: 401', async () => {
  const ws = new WebSocket(url, 'graphql-transport-ws', { headers: { Authorization: 'Bearer x' } });
  const [, response] = await once(ws, 'unexpected-response');
  assert.equal(response.statusCode, 401);
  ws.on('error', () => {});
  ws.terminate();
});

test('a token in the handshake signs in', async () => {
  const socket = await Socket.open('graphql-transport-ws', { headers: { Authorization: `Bearer ${token}` } });
  socket.send({ type: 'connection_init' });
  await socket.next();
  socket.send(subscribe('1', '{ viewer { id } }'));
  assert.deepEqual(await socket.next(), { type: 'next', id: '1', payload: { data: { viewer: { id: 'dev' } } } });
  assert.deepEqual(await socket.next(), { type: 'complete', id: '1' });
  socket.ws.close();
});

const broken = {
  'no JSON': 'nonsense',
  'an array': '[]',
  'a number': '7',
  'no type': '{}',
  'a type that is no string': { type: 7 },
  'an unknown type': { type: 'start' },
  'a payload that is no object': { type: 'ping', payload: 'x' },
  'a subscribe without id': { type: 'subscribe', payload: { query: '{ __typename }' } },
  'a subscribe with an empty id': subscribe('', '{ __typename }'),
  'a subscribe with a number as id': subscribe(1, '{ __typename }'),
  'a subscribe without payload': { type: 'subscribe', id: '1' },
  'a subscribe without query': { type: 'subscribe', id: '1', payload: {} },
  'a subscribe with a number as query': subscribe('1', 7),
  'a subscribe with an array as variables': subscribe('1', '{ __typename }', { variables: [] }),
  'a subscribe with a number as operationName': subscribe('1', '{ __typename }', { operationName: 7 }),
  'a complete without id': { type: 'complete' },
};
for (const [name, message] of Object.entries(broken)) {
  test(`${name}: 4400`, async () => {
    const socket = await Socket.ready();
    socket.send(message);
    const { code, reason } = await socket.closed;
    assert.equal(code, 4400, reason);
    assert.ok(reason.length > 0 && Buffer.byteLength(reason) <= 123);
  });
}

test('a binary message: 4400', async () => {
  const socket = await Socket.ready();
  socket.ws.send(Buffer.from('{"type":"ping"}'));
  assert.equal((await socket.closed).code, 4400);
});

test('subscribe before connection_init: 4401', async () => {
  const socket = await Socket.open();
  socket.send(subscribe('1', '{ __typename }'));
  assert.equal((await socket.closed).code, 4401);
});

test('connection_init with a bad token: 4401', async () => {
  for (const authorization of ['Bearer x', 'x', '']) {
    const socket = await Socket.open();
    socket.send({ type: 'connection_init', payload: { authorization } });
    assert.equal((await socket.closed).code, 4401);
  }
});

test('a second connection_init: 4429', async () => {
  const socket = await Socket.ready();
  socket.send(init);
  assert.equal((await socket.closed).code, 4429);
});

test('two connection_init at once: 4429', async () => {
  const socket = await Socket.open();
  socket.send(init);
  socket.send(init);
  assert.equal((await socket.closed).code, 4429);
});

test('the id of a running operation: 4409; long ids are not told whole', async () => {
  for (const id of ['1', 'é'.repeat(128)]) {
    const socket = await Socket.ready();
    socket.send(subscribe(id, forever));
    socket.send(subscribe(id, forever));
    const { code, reason } = await socket.closed;
    assert.equal(code, 4409);
    assert.ok(Buffer.byteLength(reason) <= 123);
  }
});

test('an id is free again once its operation has ended', async () => {
  const socket = await Socket.ready();
  for (let i = 0; i < 50; i += 1) {
    socket.send(subscribe('1', '{ __typename }'));
    assert.equal((await socket.next()).type, 'next');
    assert.deepEqual(await socket.next(), { type: 'complete', id: '1' });
  }
  for (let i = 0; i < 50; i += 1) {
    socket.send(subscribe('1', '{ nonsense }'));
    assert.equal((await socket.next()).type, 'error');
  }
  for (let i = 0; i < 50; i += 1) {
    socket.send(subscribe('1', forever));
    socket.send({ type: 'complete', id: '1' });
  }
  socket.send({ type: 'ping' });
  while ((await socket.next()).type !== 'pong');
  socket.send(subscribe('1', '{ __typename }'));
  assert.deepEqual(await socket.next(), { type: 'next', id: '1', payload: { data: { __typename: 'Query' } } });
  socket.ws.close();
});

test('complete for an id that does not run is nothing', async () => {
  const socket = await Socket.ready();
  socket.send({ type: 'complete', id: 'x' });
  socket.send({ type: 'pong' });
  socket.send({ type: 'ping', payload: null });
  assert.deepEqual(await socket.next(), { type: 'pong' });
  socket.ws.close();
});

test('ping is answered before connection_init', async () => {
  const socket = await Socket.open();
  socket.send({ type: 'ping' });
  assert.deepEqual(await socket.next(), { type: 'pong' });
  socket.ws.close();
});

test('a message at the limit, and one byte more: 1009', async () => {
  const message = (size) => {
    const start = '{"type":"ping","payload":{"x":"';
    return `${start}${'x'.repeat(size - start.length - 3)}"}}`;
  };
  const socket = await Socket.ready();
  socket.send(message(1024 * 1024));
  assert.deepEqual(await socket.next(), { type: 'pong' });
  socket.send(message(1024 * 1024 + 1));
  assert.equal((await socket.closed).code, 1009);
});

test('operations at the limit of a socket, and one more: RATE_LIMITED', async () => {
  const socket = await Socket.ready();
  for (let i = 0; i < 100; i += 1) socket.send(subscribe(`${i}`, forever));
  socket.send(subscribe('one more', forever));
  for (;;) {
    const message = await socket.next();
    assert.ok(message.type === 'next' || message.id === 'one more', JSON.stringify(message));
    if (message.type !== 'error') continue;
    assert.equal(message.payload[0].extensions.code, 'RATE_LIMITED');
    break;
  }
  socket.ws.close();
});
