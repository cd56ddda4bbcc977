// What a client may ask, by method: what its params must look like, and what answers them. A method that has no row here
// does not exist.
import { z } from 'zod';
import type { ServerRequests } from '../protocol';
import type { Session } from './session';

type Requests = Pick<ServerRequests, 'server/status' | 'server/stop'>;
export type MethodName = keyof Requests;

interface Method<M extends MethodName> {
  params: z.ZodType<Requests[M]['params']>;
  answer(
    params: Requests[M]['params'],
    session: Session,
    signal: AbortSignal,
  ): Requests[M]['result'] | Promise<Requests[M]['result']>;
}

const nothing = z.object({}).strict() as z.ZodType<Record<string, never>>;

const table: { [M in MethodName]: Method<M> } = {
  'server/status': {
    params: nothing,
    answer: (_, { facts, runs, nClients }) => ({ ...facts, nClients: nClients(), nActiveRuns: runs.active() }),
  },
  'server/stop': {
    params: nothing,
    answer: (_, { stop }) => {
      stop();
      return null;
    },
  },
};

type Answering = (params: unknown, session: Session, signal: AbortSignal) => unknown;

const answering = <M extends MethodName>({ params: schema, answer }: Method<M>): Answering => {
  return (params, session, signal) => answer(schema.parse(params ?? {}), session, signal);
};

export const methods = Object.fromEntries(
  Object.entries(table).map(([name, method]) => [name, answering(method as Method<MethodName>)]),
) as Record<MethodName, Answering>;

/** Own rows only: `constructor` is no method. */
export const isMethod = (name: string): name is MethodName => Object.hasOwn(table, name);
