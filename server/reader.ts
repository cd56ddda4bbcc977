// A reader process of the compute server: parses and walks what others wrote, one request at a time, and may be killed at any
// moment.
import { watchOwner } from './child/ownerWatch';
import { chosenDevice, listDevices } from './devices/devices';
import { isUserError } from './errors';
import { confined } from './files/contained';
import { candidateFolders } from './plan/candidateFolders';
import { inspectModel } from './plan/inspectModel';
import { makePlan } from './plan/makePlan';
import { openModel } from './plan/openModel';
import {
  mostReaderBytes,
  mostReplyLength,
  readerLimits,
  type ReaderMethod,
  type ReaderReply,
  type ReaderRequest,
  type ReaderRequests,
} from './protocol/reader';
import { formatRecipe, parseRecipe } from './recipes/recipeFile';
import { rootsWithin } from './rpc/roots';

type Work = {
  readonly [M in ReaderMethod]: (
    params: ReaderRequests[M]['params'],
  ) => ReaderRequests[M]['result'] | Promise<ReaderRequests[M]['result']>;
};

const work: Work = {
  candidateFolders({ folders, roots }) {
    const within = rootsWithin(roots);
    return candidateFolders([...roots, ...folders.map(within.resolve)], within);
  },
  openModel: ({ folder, roots }) => openModel(folder, rootsWithin(roots)),
  inspectModel: ({ folder, roots }) => inspectModel(rootsWithin(roots).resolveModel(folder)),
  makePlan: ({ recipe, roots, on }) => makePlan(rootsWithin(roots).resolveRecipe(recipe), on),
  resolveRecipe: ({ recipe, roots }) => rootsWithin(roots).resolveRecipe(recipe),
  chooseDevice: () => chosenDevice(),
  listDevices: ({ measure }) => listDevices(measure),
  parseRecipe: ({ yaml, file }) => parseRecipe(yaml, file),
  formatRecipe: ({ recipe }) => formatRecipe(recipe),
};

watchOwner({ owner: Number(process.argv[2]) || process.ppid, mostBytes: mostReaderBytes });
// Ctrl-C reaches the whole process group; the server decides what it means.
process.on('SIGINT', () => {});
process.on('message', async (request: ReaderRequest) => {
  const answer = await answerTo(request);
  const reply: ReaderReply = { id: request.id, rssBytes: process.memoryUsage.rss(), ...answer };
  process.send!(reply);
});

type Answer = { result: unknown } | { error: { code: string; message: string; stack?: string } };

async function answerTo({ method, params }: ReaderRequest): Promise<Answer> {
  try {
    // The row of a method takes that method's params.
    const { roots = null } = params as { roots?: readonly string[] };
    const result = await confined(roots, () => (work[method] as (params: unknown) => unknown)(params));
    return JSON.stringify(result).length > mostReplyLength
      ? overLimit(method, 'found too much to be shown')
      : { result };
  } catch (error) {
    if (isUserError(error)) return { error: { code: error.code, message: shortened(error.message) } };
    if (error instanceof RangeError) return overLimit(method, 'found something that is nested too deep, or too long');
    const { message, stack } = error as Error;
    return { error: { code: 'internal', message: shortened(message), stack: shortened(stack ?? '') } };
  }
}

function overLimit(method: ReaderMethod, how: string): Answer {
  const { what, remedy } = readerLimits[method];
  return { error: { code: 'overLimit', message: `${what} ${how}; ${remedy}.` } };
}

/** Sentences quote what others wrote. */
const shortened = (text: string): string => (text.length > 4000 ? `${text.slice(0, 3997)}...` : text);
