// The form before a healing: its settings, the text to train on, and the recipe that they stand for.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../server/errors';
import type { HealForm, HealSettings } from '../../../server/protocol/pages/heal';
import type { HealRecipe } from '../../../server/recipes/heal/recipe';
import { originalOf } from '../../lineage';
import { openTexts } from '../../texts';
import { openForm } from '../form';
import { defaultOutput } from '../outputFolder';
import type { PanelHost } from '../pages';
import { defaultSettings, healRecipe } from './recipe';

export interface KeptHealForm {
  readonly state: HealForm;
  /** Remembers what was chosen. */
  take(settings: HealSettings): Promise<void>;
  /** Whether another text was chosen. */
  chooseText(): Promise<boolean>;
  /** Asks what the healing would cost; there may be no plan. */
  plan(): Promise<void>;
  /** `out`: the folder of the adapter; null: the one that would be offered. Throws UserError while there is no text. */
  recipe(settings: HealSettings, out: string | null): HealRecipe;
}

export function openHealForm(folder: string, host: PanelHost, changed: () => void): KeptHealForm {
  const { context, connection, library, settings } = host;
  const texts = openTexts(context, settings, 'train');
  const form = openForm(context.workspaceState, `healing ${folder}`, defaultSettings, connection, changed);
  const recipe: KeptHealForm['recipe'] = (chosen, out) => {
    const file = texts.known(folder);
    if (!file) throw new UserError('usage', 'A healing needs a text; choose one first.');
    const { parent, name } = defaultOutput(folder, settings.roots(), existsSync, 'adapter');
    const places = {
      model: folder,
      file,
      original: originalOf(folder, library.models),
      out: out ?? join(parent, name),
    };
    return healRecipe(chosen, places, settings.compute(chosen.weights));
  };
  return {
    get state() {
      const { settings: chosen, plan, refusal } = form.state;
      const file = texts.known(folder);
      return { settings: chosen, plan, refusal, textName: file && texts.nameOf(file) };
    },
    take: form.take,
    chooseText: async () => (await texts.choose(folder)) !== null,
    async plan() {
      if (texts.known(folder)) await form.plan(recipe(form.state.settings, null));
      else changed();
    },
    recipe,
  };
}
