// A network between a client and the server, which can be cut.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Connections lead to the targets in turn. */
export async function startProxy(...targets) {
  const sockets = new Set();
  /** Those whose other end is not told of anything any more. */
  const lost = new Set();
  let isUp = true;
  let count = 0;
  const server = createServer((client) => {
    if (!isUp || proxy.targets.length === 0) return client.destroy();
    const { hostname, port } = new URL(proxy.targets[(count += 1) % proxy.targets.length]);
    const upstream = connect(port, hostname);
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        if (!lost.delete(socket)) other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = {
    targets,
    url: `http://127.0.0.1:${server.address().port}`,
    /** Breaks every connection. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    /** Loses what every connection carries, without closing it, as a network has that forgot it while a computer slept. */
    swallow() {
      for (const socket of sockets) lost.add(socket.unpipe().resume());
    },
    down() {
      isUp = false;
      proxy.cut();
    },
    up() {
      isUp = true;
    },
    close() {
      proxy.down();
      server.close();
    },
  };
  return proxy;
}
