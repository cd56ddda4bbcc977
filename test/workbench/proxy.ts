// Stands between the windows and the compute server, so that a test can cut the sockets and be deaf for a while. The
// windows find it where they find the server: in the lock file, whose port it replaces.
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  /** Ends every socket, and every new one for a while: a port that refuses would say that the server is dead. */
  cut(deafMs: number): Promise<void>;
  /** The next sockets are closed right behind the first answer, as by a server that was just about to end. */
  farewell(nSockets: number): void;
  readonly nFarewells: number;
  readonly nSockets: number;
  end(): Promise<void>;
}

/** A server's close frame with code 1001, RFC 6455. */
const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

export async function proxyInto(lockFile: string): Promise<Proxy> {
  const lock = JSON.parse(readFileSync(lockFile, 'utf8'));
  const sockets = new Set<Socket>();
  let deaf = false;
  let [nFarewells, nAnnounced] = [0, 0];
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
    near.once('data', (request: Buffer) => {
      // The server refuses whoever names another port than its own.
      far.write(request.toString('latin1').replace(/^(Host: [^:\r\n]+):\d+/im, `$1:${lock.port}`), 'latin1');
      near.pipe(far);
      if (nAnnounced === 0) far.pipe(near);
      else {
        nAnnounced--;
        // The first piece is the answer to the upgrade.
        far.once('data', (upgraded) => {
          near.write(upgraded);
          far.once('data', (answer: Buffer) => {
            near.write(Buffer.concat([answer, goingAway]));
            nFarewells++;
          });
        });
      }
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
    farewell(nSockets) {
      nAnnounced = nSockets;
    },
    get nFarewells() {
      return nFarewells;
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
