// What a client may ask, by method: what its params must look like, and what answers them. A method that has no row here
// does not exist.
import { z } from 'zod';
import type { Estimate, ServerRequests } from '../protocol';
import { dropSetSchema, recipeSchema } from '../plan/recipeSchema';
import { checkRecipePaths } from './roots';
import type { Session } from './session';

export type MethodName = Exclude<
  keyof ServerRequests,
  'recipes/format' | 'recipes/parse' | 'plan/make' | 'models/find' | 'models/inspect'
>;

interface Method<M extends MethodName> {
  params: z.ZodType<ServerRequests[M]['params']>;
  answer(
    params: ServerRequests[M]['params'],
    session: Session,
    signal: AbortSignal,
  ): ServerRequests[M]['result'] | Promise<ServerRequests[M]['result']>;
}

const nothing = z.strictObject({}) as z.ZodType<Record<string, never>>;
/** Names a folder in the data folder, so nothing else will do. */
const runId = z.uuid();
const ofRun = z.strictObject({ runId });

const table: { [M in MethodName]: Method<M> } = {
  'runs/start': {
    params: z.strictObject({ runId, recipe: recipeSchema }),
    answer: async ({ runId, recipe }, { runs, roots }) => {
      await checkRecipePaths(recipe, roots);
      return runs.start(runId, recipe, roots);
    },
  },
  'runs/list': { params: nothing, answer: (_, { runs }) => runs.list() },
  'runs/get': { params: ofRun, answer: ({ runId }, { runs }) => runs.get(runId) },
  'runs/subscribe': {
    params: z.strictObject({ runId, since: z.int().nonnegative() }),
    answer: ({ runId, since }, { subscriptions }) => subscriptions.follow(runId, since),
  },
  'runs/unsubscribe': {
    params: ofRun,
    answer: ({ runId }, { subscriptions }) => {
      subscriptions.leave(runId);
      return null;
    },
  },
  'runs/cancel': { params: ofRun, answer: ({ runId }, { runs }) => runs.cancel(runId) },
  'runs/resume': {
    params: ofRun,
    answer: async ({ runId }, { runs }) => {
      // By the roots that it began with: a link may have been laid since then.
      const { recipe } = await runs.get(runId);
      await checkRecipePaths(recipe, runs.roots(runId));
      return runs.resume(runId);
    },
  },
  'runs/delete': { params: ofRun, answer: ({ runId }, { runs }) => runs.remove(runId) },
  'runs/ask': {
    params: z.strictObject({ runId, question: z.int().nonnegative(), drop: dropSetSchema }),
    answer: async ({ runId, question, drop }, { runs, client, outbox }, signal) => {
      const tell = (estimate: Estimate) => outbox.estimate(runId, question, estimate);
      try {
        return await runs.ask(runId, client, question, drop, tell, signal);
      } finally {
        outbox.answered(runId, question);
      }
    },
  },
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
