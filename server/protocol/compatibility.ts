// Whether a client and a running server understand each other. What decides is the version of the protocol and what goes over
// the wire; everything else of two builds may differ. Compared when a client sends `initialize`.

/** Grows when a client and a server can no longer agree even on how to refuse each other. */
export const protocolVersion = 2;

/** Also the websocket's subprotocol, and in the lock file. */
export type ProtocolName = `espalier.v${typeof protocolVersion}`;
export const protocolName: ProtocolName = `espalier.v${protocolVersion}`;

/** One end of a connection, as it introduces itself. */
export interface Peer {
  protocol: string;
  /** A hash of what goes over the wire (scripts/wireHash.mjs). Builds from before it existed have none. */
  wire?: string | undefined;
  /** Version and hash of the source, such as `0.1.0+89ab01cd2345`. */
  build: string;
}

export type Incompatibility =
  | 'clientTooOld'
  | 'serverTooOld'
  /** Builds of one version whose messages differ; which one is older cannot be said. */
  | 'otherWire'
  /** The files of the server's program are gone, so it cannot start an engine. */
  | 'serverRemoved';

/** null: they understand each other. */
export function incompatibilityOf(client: Peer, server: Peer): Incompatibility | null {
  const versions = [versionOf(client.protocol) ?? 0, versionOf(server.protocol) ?? 0] as const;
  if (versions[0] === versions[1] && client.wire !== undefined && client.wire === server.wire) return null;
  const older =
    versions[0] - versions[1] ||
    Number(client.wire !== undefined) - Number(server.wire !== undefined) ||
    compareReleases(client.build, server.build);
  if (older === 0) return 'otherWire';
  return older < 0 ? 'clientTooOld' : 'serverTooOld';
}

/** What was found and what to do, for a person. */
export function incompatibilitySentence(reason: Incompatibility, client: Peer, server: Peer): string {
  const builds = { client: `build ${client.build}`, server: `build ${server.build}` };
  switch (reason) {
    case 'clientTooOld':
      return `The running server, ${builds.server}, is newer than this client, ${builds.client}; reload the window or update the extension.`;
    case 'serverTooOld':
      return `The running server, ${builds.server}, is older than this client, ${builds.client}; restart the server.`;
    case 'otherWire':
      return `The running server is ${builds.server}, this client is ${builds.client}, and their messages differ; restart the server.`;
    case 'serverRemoved':
      return `The program of the running server, ${builds.server}, was removed, most likely by an update; restart the server.`;
  }
}

/** The number in the name of a protocol; null: it is none of ours. */
export function versionOf(protocol: string): number | null {
  const [, version] = /^espalier\.v(\d{1,9})$/.exec(protocol) ?? [];
  return version === undefined ? null : Number(version);
}

/** Negative: the release of `a` is older than that of `b`. What comes behind the three numbers does not count. */
function compareReleases(a: string, b: string): number {
  const [left, right] = [a, b].map((build) => (/^\d+\.\d+\.\d+/.exec(build)?.[0] ?? '').split('.').map(Number));
  if (left!.length !== 3 || right!.length !== 3) return 0;
  return [0, 1, 2].map((i) => left![i]! - right![i]!).find((difference) => difference !== 0) ?? 0;
}
