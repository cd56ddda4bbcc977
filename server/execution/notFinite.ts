// What a person is told where a result of a model is NaN or infinite: which weight it comes from, or which block. Results are
// checked where they are made; only after one was found not finite are weights and states looked through.
import { firstNotFiniteWeight, weightInWords } from '../checkpoint/notFiniteWeight';
import { UserError } from '../errors';
import { hasAttention, hasMlp, type Path, pathWithout } from '../model/path';
import { blockWeights, parseBlockWeightName } from '../model/weights';
import { formatDropSet, isEmpty } from '../shared/dropSets';
import { firstNotFinite } from '../shared/finite';
import type { Tensor } from '../runtime/tensor';
import { blockProgram } from './blockProgram';
import { type Batch, embed, type Model, within } from './model';
import { openTables } from './positionTables';
import type { TrieNode } from './variantTrie';
import { blockGroup } from './weightStore';

/** Thrown by a visitor, or kept by one that goes on; `explained` and `explanation` make a sentence of it. */
export class NotFiniteResult extends Error {
  constructor(
    readonly what: string,
    readonly visit: { readonly node: TrieNode; readonly batch: Batch },
  ) {
    super(`${what} is not finite`);
  }
}

/** Refuses results with NaN or an infinity among them. @param what `loss`, as it follows `The` in a sentence */
export function refuseNotFinite(
  values: ArrayLike<number>,
  what: string,
  { node, batch }: { readonly node: TrieNode; readonly batch: Batch },
): void {
  if (firstNotFinite(values) >= 0) throw new NotFiniteResult(what, { node, batch });
}

/** Where a result that was not refused comes from. */
export const explanation = (model: Model, result: NotFiniteResult): Promise<UserError> => sentence(model, result);

/** What `work` gives. @throws UserError `notFinite` that says where a result comes from that a visitor refused */
export async function explained<T>(model: Model, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NotFiniteResult) throw await sentence(model, error);
    throw error;
  }
}

async function sentence(model: Model, { what, visit }: NotFiniteResult): Promise<UserError> {
  const { checkpoint } = model;
  const path = pathTo(visit.node);
  const lacks = lackedBy(model, path);
  const of = isEmpty(lacks) ? checkpoint.name : `${checkpoint.name} without ${formatDropSet(lacks)}`;
  const weight = await firstNotFiniteWeight(checkpoint, weightsOf(model, path));
  const cause = weight ? weightInWords(weight) : await whereItIsLost(model, path, visit.batch);
  const remedy = weight
    ? 'get the weights again, or make them anew'
    : 'its weights are too large to compute with; look at what made them, such as a training or a merge';
  return new UserError('notFinite', `The ${what} of ${of} is not finite, because ${cause}; ${remedy}.`);
}

const pathTo = (node: TrieNode | null): Path => (node ? [...pathTo(node.parent), node.stage] : []);

/** What of the model a path leaves out. */
function lackedBy({ config }: Model, path: Path) {
  const left = new Map(path.map((stage) => [stage.block, stage.sublayers]));
  const whole = pathWithout(config).filter(({ block }) => left.has(block));
  return {
    blocks: pathWithout(config).flatMap(({ block }) => (left.has(block) ? [] : [block])),
    attention: whole.flatMap(({ block, sublayers }) =>
      hasAttention(sublayers) && !hasAttention(left.get(block)!) ? [block] : [],
    ),
    mlp: whole.flatMap(({ block, sublayers }) => (hasMlp(sublayers) && !hasMlp(left.get(block)!) ? [block] : [])),
  };
}

/** The weights that a path uses, in their order. */
function weightsOf({ checkpoint, config }: Model, path: Path) {
  const used = new Map(
    path.map(({ block, sublayers }) => [block, new Set(blockWeights(config, sublayers).map(({ suffix }) => suffix))]),
  );
  return [...checkpoint.weights.values()].filter(({ name }) => {
    const inBlock = parseBlockWeightName(name);
    return !inBlock || (used.get(inBlock.block)?.has(inBlock.suffix) ?? false);
  });
}

/** The first block of a path whose output is not finite, from a pass of its own over the ids of a batch. */
async function whereItIsLost(model: Model, path: Path, batch: Batch): Promise<string> {
  using scope = model.device.scope();
  const own = within(scope, model);
  const tables = await openTables(own).for(batch);
  let hidden: Tensor = await embed(own, batch.ids);
  let lostIn: number | null = null;
  await model.store.run(
    path.map(({ block, sublayers }) => ({
      group: blockGroup(model.config, block),
      async visit(weights) {
        if (lostIn !== null) return;
        const program = await blockProgram(own, { block, sublayers }, batch);
        const { hiddenOut } = await scope.run(program, { ...weights, ...tables, hidden });
        scope.release(hidden);
        hidden = hiddenOut!;
        if (firstNotFinite(await scope.read(hidden)) >= 0) lostIn = block;
      },
    })),
  );
  return lostIn === null
    ? 'it goes beyond the range of float32, though all weights and the outputs of all blocks are finite'
    : `the output of block ${lostIn} goes beyond the range of float32, though all weights are finite`;
}
