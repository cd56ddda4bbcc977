// How much one client, or all of them, may ask of the server before they are cut off. A well-behaved editor stays far below.

export const limits = {
  frameBytes: 4 << 20,
  clients: 32,
  /** TCP connections, also those that never become clients. */
  connections: 64,
  messagesPerSecond: 500,
  /** Requests of one client without an answer yet. */
  openRequests: 256,
  /** Wrong tokens from all comers. */
  refusalsPerSecond: 5,
  /** A client that has not said initialize by then has no reason to stay. */
  initializeMs: 10_000,
  /** A socket that has not answered a ping when the next one is due is dead: found within twice this time. */
  pingMs: 4_000,
  /** Notifications to one client, of all kinds together. */
  notificationsPerSecond: 25,
  eventsPerNotification: 500,
  /** Nothing more is sent to a client that has so much waiting. */
  waitingBytes: 1 << 20,
};

export interface Bucket {
  /** False when there were too many. */
  take(): boolean;
}

/** Lets `perSecond` through over time, and twice as many at once. */
export function bucket(perSecond: number, nowMs: () => number = () => performance.now()): Bucket {
  let left = 2 * perSecond;
  let filledAtMs = nowMs();
  return {
    take() {
      const now = nowMs();
      left = Math.min(2 * perSecond, left + ((now - filledAtMs) / 1000) * perSecond);
      filledAtMs = now;
      if (left < 1) return false;
      left -= 1;
      return true;
    },
  };
}
