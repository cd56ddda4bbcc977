// Every request that the server answers: what its params must look like, and what is done. A method that has no row here
// does not exist.
import * as z from 'zod';
import { isUserError, UserError } from '../errors';
import { findModels } from '../plan/findModels';
import type { PlannedDevice } from '../protocol/reader';
import type { ServerRequests } from '../protocol/server';
import type { Read } from '../readerClient/readers';
import { dropSet as dropSetSchema } from '../protocol/recipes';
import { type Recipe, recipeSchema } from '../recipes/kinds';
import { lossQuery, speedQuery } from '../runs/queryQueue';
import type { Runs } from '../runs/runs';
import type { Devices } from './devices';
import type { Outbox } from './outbox';
import type { Roots } from './roots';

/** What a handler works with: its client, and what all clients share. */
export interface Caller {
  readonly roots: Roots;
  readonly outbox: Outbox;
  readonly runs: Runs;
  readonly devices: Devices;
  /** What parses or walks what others wrote goes through here. */
  readonly read: Read;
  /** For defects. */
  log(text: string): void;
  /** Aborted when the client cancels the request. */
  readonly signal: AbortSignal;
  readonly server: { status(): ServerRequests['server/status']['result']; stop(): void };
}

export type MethodName = keyof ServerRequests;

interface Method<M extends MethodName> {
  readonly params: z.ZodType<ServerRequests[M]['params']>;
  handle(
    params: ServerRequests[M]['params'],
    caller: Caller,
  ): ServerRequests[M]['result'] | Promise<ServerRequests[M]['result']>;
}

const nothing = z.strictObject({}) as z.ZodType<Record<string, never>>;
const runId = z.uuid();
const oneRun = z.strictObject({ runId });
const path = z.string().min(1).max(4096);
/** Refused by its form alone: a refusal quotes nothing of it. */
const hubToken = z
  .string()
  .regex(/^[\x21-\x7e]{1,1000}$/)
  .optional();

export const methods: { readonly [M in MethodName]: Method<M> } = {
  'runs/start': {
    params: z.strictObject({ runId, recipe: recipeSchema, hubToken }),
    async handle({ runId, recipe, hubToken: token }, { runs, roots: { folders: roots }, read }) {
      return runs.start(runId, await read('resolveRecipe', { recipe, roots }), roots, token ?? null);
    },
  },
  'runs/list': { params: nothing, handle: (_, { runs }) => runs.list() },
  'runs/get': {
    params: oneRun,
    async handle({ runId }, { runs }) {
      await runs.load(runId);
      return runs.get(runId);
    },
  },
  'runs/subscribe': {
    params: z.strictObject({ runId, since: z.int().nonnegative() }),
    async handle({ runId, since }, { runs, outbox }) {
      // First, since the client may take it back while the log is read.
      outbox.follow(runId, since);
      try {
        // A log that cannot be read now may be later.
        await runs.load(runId).catch(refuseUserErrors);
        const lastSeq = runs.lastSeq(runId);
        if (since <= lastSeq) return { lastSeq };
        throw new UserError(
          'badState',
          `The run has ${lastSeq} events, so none can be the ${since}th; subscribe from 0.`,
        );
      } catch (error) {
        outbox.unfollow(runId);
        throw error;
      }
    },
  },
  'runs/unsubscribe': {
    params: oneRun,
    handle({ runId }, { outbox }) {
      outbox.unfollow(runId);
      return null;
    },
  },
  'runs/cancel': { params: oneRun, handle: ({ runId }, { runs }) => runs.cancel(runId) },
  'runs/resume': {
    params: z.strictObject({ runId, hubToken }),
    async handle({ runId, hubToken: token }, { runs, read, roots }) {
      // Links may have changed since: the recipe is checked again, by the roots that it began with.
      const own = runs.rootsOf(runId);
      await read('resolveRecipe', { recipe: runs.recipeOf(runId), roots: own.length > 0 ? own : roots.folders });
      await runs.load(runId);
      return runs.resume(runId, roots.folders, token ?? null);
    },
  },
  'runs/control': {
    params: z.strictObject({ runId, action: z.enum(['pause', 'continue', 'stopAndSave']) }),
    handle: ({ runId, action }, { runs }) => runs.control(runId, action),
  },
  'runs/delete': { params: oneRun, handle: ({ runId }, { runs }) => runs.remove(runId) },
  'recipes/format': {
    params: z.strictObject({ recipe: recipeSchema }),
    handle: async ({ recipe }, { read }) => ({ yaml: await read('formatRecipe', { recipe }) }),
  },
  'recipes/parse': {
    params: z.strictObject({ yaml: z.string().max(2 ** 20), file: path }),
    handle: async ({ yaml, file }, { read }) => ({ recipe: await read('parseRecipe', { yaml, file }) }),
  },
  'plan/make': {
    params: z.strictObject({ recipe: recipeSchema }),
    async handle({ recipe }, { roots: { folders: roots }, runs, devices, read }) {
      return read('makePlan', { recipe, roots, on: await plannedDevice(recipe, runs, devices) });
    },
  },
  'runs/ask': {
    params: z.strictObject({ runId, question: z.int(), drop: dropSetSchema }),
    async handle({ runId, question, drop }, { runs, outbox, signal }) {
      const onEstimate = (estimate: ServerRequests['runs/ask']['result']) =>
        outbox.estimate({ runId, question, estimate });
      const answer = await runs.ask(runId, lossQuery(outbox, drop, signal, onEstimate));
      outbox.dropEstimate(runId);
      return answer;
    },
  },
  'runs/time': {
    params: z.strictObject({ runId, drop: dropSetSchema }),
    handle: ({ runId, drop }, { runs, outbox, signal }) => runs.ask(runId, speedQuery(outbox, drop, signal)),
  },
  'models/find': {
    params: z.strictObject({ folders: z.array(path).max(1000) }),
    handle: ({ folders }, { roots: { folders: roots }, runs, read, log }) =>
      findModels({
        candidateFolders: () => read('candidateFolders', { folders, roots }),
        openModel: (folder) => read('openModel', { folder, roots }),
        newestAnalysisOf: runs.newestAnalysisOf,
        log,
      }),
  },
  'models/inspect': {
    params: z.strictObject({ folder: path }),
    handle: ({ folder }, { roots: { folders: roots }, read }) => read('inspectModel', { folder, roots }),
  },
  'devices/list': {
    params: z.strictObject({ measure: z.boolean() }),
    handle: ({ measure }, { devices }) => devices.list(measure),
  },
  'server/status': { params: nothing, handle: (_, { server }) => server.status() },
  'server/stop': {
    params: nothing,
    handle(_, { server }) {
      server.stop();
      return null;
    },
  },
};

async function plannedDevice(recipe: Recipe, runs: Runs, devices: Devices): Promise<PlannedDevice> {
  const named = 'compute' in recipe ? recipe.compute.device : 'cpu';
  const { device, reason } = named === 'auto' ? await devices.choice() : { device: named, reason: null };
  return {
    device,
    reason,
    operationsPerSecond: runs.operationsPerSecond(device) ?? devices.operationsPerSecond(device),
  };
}

function refuseUserErrors(error: unknown): void {
  if (isUserError(error)) throw error;
}

export const isMethod = (name: string): name is MethodName => Object.hasOwn(methods, name);
