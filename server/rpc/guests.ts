// Whoever has connected and not yet shown that it knows the token is a guest, and has a short time for it. There may be so
// many; one more sends the oldest away, so that guests who only sit there keep nobody out.
import type { Socket } from 'node:net';

export interface GuestLimits {
  readonly most: number;
  readonly withinMs: number;
}

export type Guests = ReturnType<typeof openGuests>;

export function openGuests({ most, withinMs }: GuestLimits) {
  const timers = new Map<Socket, NodeJS.Timeout>();
  const forget = (socket: Socket) => {
    clearTimeout(timers.get(socket));
    timers.delete(socket);
  };
  return {
    admit(socket: Socket): void {
      if (timers.size >= most) timers.keys().next().value!.destroy();
      socket.once('close', () => forget(socket));
      timers.set(
        socket,
        setTimeout(() => socket.destroy(), withinMs),
      );
    },
    /** It has shown that it knows the token. */
    letIn: forget,
    sendAway(): void {
      for (const socket of timers.keys()) socket.destroy();
    },
  };
}
