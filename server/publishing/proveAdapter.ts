// The proof of an adapter's folder, for which the model that it is for has to be at hand.
import { readAdapter } from '../checkpoint/adapter';
import { baseWarning } from '../checkpoint/adapterBase';
import { withCheckpoint } from '../checkpoint/checkpoint';
import { isUserError } from '../errors';
import type { ProofCheck } from '../recipes/prove/recipe';
import { allFinite } from '../shared/finite';
import { filesCheck } from './foreignFiles';
import { failed, notChecked, passed } from './proof';

/** @param base folder of the model that it is for; null: not at hand */
export async function proveAdapter(folder: string, base: string | null): Promise<ProofCheck[]> {
  const files = await filesCheck(folder);
  if (base === null)
    return [failed('opens', `The model that ${folder} is for is not at hand; give it with --original FOLDER.`), files];
  try {
    return await withCheckpoint(base, async (model) => {
      const adapter = await readAdapter(folder, model.config);
      const warning = await baseWarning(folder, adapter.baseModelNameOrPath, model);
      const lost = [...adapter.tensors].find(([, { a, b }]) => !allFinite(a) || !allFinite(b));
      return [
        warning === null
          ? passed(
              'opens',
              `It adapts ${adapter.modules.length} projections of ${model.name}, which it was trained on.`,
            )
          : failed('opens', warning),
        files,
        lost
          ? failed('finite', `${lost[0]} holds a number that is not finite; heal again.`)
          : passed('finite', `All ${2 * adapter.tensors.size} matrices were read.`),
        notChecked('tokenizer', 'An adapter goes with the tokenizer of its model.'),
      ];
    });
  } catch (error) {
    if (!isUserError(error) || error.code === 'cancelled') throw error;
    return [failed('opens', error.message), files];
  }
}
