// Stands between the windows and the compute server, so that a test can cut the sockets and be deaf for a while. The
// windows find it where they find the server: in the lock file, whose port it replaces.
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  /** Ends every socket, and every new one for a while: a port that refuses would say that the server is dead. */
  cut(deafMs: number): Promise<void>;
  readonly nSockets: number;
  end(): Promise<void>;
}

export async function proxyInto(lockFile: string): Promise<Proxy> {
  const lock = JSON.parse(readFileSync(lockFile, 'utf8'));
  const sockets = new Set<Socket>();
  let deaf = false;
  const server = createServer((near) => {
    if (deaf) {
      near.destroy();
      return;
    }
    const far = connect(lock.port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
    far.pipe(near);
    // The server refuses whoever names another port than its own.
    near.once('data', (request: Buffer) => {
      far.write(request.toString('latin1').replace(/^(Host: [^:\r\n]+):\d+/im, `$1:${lock.port}`), 'latin1');
      near.pipe(far);
    });
    sockets.add(near);
    near.on('close', () => sockets.delete(near));
  });
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(lockFile, JSON.stringify({ ...lock, port }));
  return {
    async cut(deafMs) {
      deaf = true;
      hangUp();
      await new Promise((resolve) => setTimeout(resolve, deafMs));
      deaf = false;
    },
    get nSockets() {
      return sockets.size;
    },
    async end() {
      writeFileSync(lockFile, JSON.stringify(lock));
      const closed = new Promise((resolve) => server.close(resolve));
      hangUp();
      await closed;
    },
  };
}
