// What makes two calls one run: the settings that its numbers depend on, and the data.
import { resolve } from 'node:path';
import { type BaseRecord, otherBase } from '../../checkpoint/baseRecord';
import { unsealed } from '../../checkpoint/sealed';
import { UserError } from '../../errors';
import type { HealRecipe } from './recipe';
import type { WeightWidth } from '../../protocol/recipes';
import type { TrainingDataReport } from '../../protocol/reports';
import { firstDifference } from '../firstDifference';

/** Written down at the beginning of a run. */
export interface Begun {
  readonly settings: Settings;
  readonly dataSha256: string[];
  /** How it is computed: a run that goes on does so in the same way unless its recipe says otherwise, whatever memory there is. */
  readonly ways: {
    readonly memory: 'resident' | 'streaming';
    readonly activations: 'keep' | 'recompute';
    /** Absent in files of earlier versions. */
    readonly weights?: WeightWidth;
  };
  /** The model that it trains on. Absent in files of earlier versions, which know it by its folder. */
  readonly base?: BaseRecord;
  readonly versions: Readonly<Record<string, string>>;
}

type Settings = Pick<HealRecipe, 'adapter' | 'objective' | 'optimizer'> & {
  model: string;
  data: Omit<HealRecipe['data'], 'files'>;
  loop: Omit<HealRecipe['loop'], 'saveEverySteps' | 'activations'>;
};

export function begunBy(
  recipe: HealRecipe,
  data: TrainingDataReport,
  ways: Begun['ways'],
  base: BaseRecord,
  versions: Begun['versions'],
): Begun {
  const { files: _, ...rest } = recipe.data;
  const { saveEverySteps: _save, activations: _activations, ...loop } = recipe.loop;
  return {
    settings: {
      model: resolve(recipe.model),
      data: rest,
      adapter: recipe.adapter,
      objective: recipe.objective,
      optimizer: recipe.optimizer,
      loop,
    },
    dataSha256: data.files.map((file) => file.sha256),
    ways,
    base,
    versions,
  };
}

/** null: it is damaged. */
export function readBegun(text: string): Begun | null {
  const begun = unsealed(text) as Begun | null;
  const isBegun =
    typeof begun?.settings === 'object' && Array.isArray(begun.dataSha256) && typeof begun.ways === 'object';
  return isBegun ? begun : null;
}

/** Throws UserError('usage') naming the first difference. */
export function refuseOtherRun(then: Begun, now: Begun, out: string): void {
  const model = then.base && now.base && otherBase(then.base, now.base);
  if (model)
    throw new UserError(
      'usage',
      `The run in ${resolve(out)} was begun on ${model.trained}, not on ${model.present}; resume it with that model, or begin another in another folder.`,
    );
  // A model that was moved is the same one.
  const settings = then.base ? { ...now.settings, model: then.settings.model } : now.settings;
  const other = firstDifference(then.settings, settings);
  const where = `The run in ${resolve(out)} was begun with`;
  if (other)
    throw new UserError(
      'usage',
      `${where} ${other.name} = ${other.before}, not ${other.after}; resume it with that, or begin another in another folder.`,
    );
  if (`${then.dataSha256}` !== `${now.dataSha256}`)
    throw new UserError('usage', `${where} other data; resume it with the same files, or begin another.`);
}
