// Whether an adapter beside its model has the held-out loss that the report of its healing says. The data are found by their hash, and
// cut as the folder of the run says they were.
import { readAdapter } from '../../checkpoint/adapter';
import { withCheckpoint } from '../../checkpoint/checkpoint';
import { readTrainingData } from '../../data/trainingData';
import { isUserError } from '../../errors';
import type { Computing } from '../../publishing/computing';
import { fileWithHash } from '../../publishing/fileWithHash';
import { toleranceNats } from '../../publishing/lossCheck';
import { failed, notChecked, passed } from '../../publishing/proof';
import type { RunReportOf } from '../../publishing/reports';
import { openTokenizer } from '../../tokenizer/tokenizer';
import { openAdapterState } from '../../training/adapterState';
import type { CountedSequence } from '../../training/batches';
import { heldOutLoss } from '../../training/heldOut';
import { begunIn } from '../heal/folder';
import type { Begun } from '../heal/identity';
import type { ProofCheck } from './recipe';

interface AdapterProof {
  readonly folder: string;
  /** Of the model that it is for. */
  readonly base: string;
  readonly reports: readonly RunReportOf<'heal'>[];
  readonly texts: readonly string[];
}

export async function adapterLossCheck(asked: AdapterProof, computing: Computing): Promise<ProofCheck> {
  const { folder, base, reports, texts } = asked;
  const healed = reports[0]?.healed;
  if (!healed)
    return notChecked('loss', 'No report says what its held-out loss is; give that of heal with --report FILE.');
  const begun = await begunIn(folder).catch((error: unknown) => {
    if (isUserError(error)) return null;
    throw error;
  });
  if (begun === null || begun.settings.loop.heldOut !== null)
    return notChecked('loss', 'The folder does not say which part of the data was held out.');
  const files = await filesOf(reports[0]!, begun, texts);
  if (files === null)
    return notChecked('loss', 'The data that it was healed on are not at hand; give them with --text FILE.');
  return withCheckpoint(base, async (checkpoint) => {
    const adapter = await readAdapter(folder, checkpoint.config);
    const { heldOut } = await readTrainingData(
      { ...begun.settings.data, files },
      await openTokenizer(checkpoint.folder),
      checkpoint.config,
    );
    if (heldOut.length === 0) return notChecked('loss', 'Nothing of its data was held out.');
    const found = await computing.withModel(checkpoint, shapeOf(heldOut), async (model) => {
      using adapters = await openAdapterState(model.device, adapter.modules, adapter.tensors);
      return await heldOutLoss(model, heldOut, { adapters, signal: computing.signal });
    });
    const words = `Its held-out loss beside ${checkpoint.name} is ${found.toFixed(6)} nats`;
    return Math.abs(found - healed.lossNats) <= toleranceNats
      ? passed('loss', `${words}, and the report says ${healed.lossNats.toFixed(6)}.`)
      : failed(
          'loss',
          `${words}, but the report says ${healed.lossNats.toFixed(6)}; heal again, or give its own report.`,
        );
  });
}

const shapeOf = (items: readonly CountedSequence[]) => ({
  nSequences: items.length,
  tokensPerSequence: Math.max(...items.map(({ ids }) => ids.length)),
});

/** In their order; null where one of them is not there. */
async function filesOf(
  { data }: RunReportOf<'heal'>,
  { dataSha256 }: Begun,
  texts: readonly string[],
): Promise<string[] | null> {
  const files: string[] = [];
  for (const [i, sha256] of dataSha256.entries()) {
    const file = await fileWithHash(texts, data.files[i]?.name ?? '', sha256);
    if (file === null) return null;
    files.push(file);
  }
  return files;
}
