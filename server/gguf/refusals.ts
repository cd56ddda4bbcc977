// What cannot be exported because llama.cpp would compute something else, and what it computes otherwise only for long texts.
import { UserError } from '../errors';
import type { ModelConfig } from '../model/config';
import { type Architecture, architectures, type ModelFacts } from './architectures';

/** @throws UserError `unsupportedModel`, saying in what llama.cpp differs */
export function architectureFor(facts: ModelFacts): Architecture {
  const { family } = facts.config;
  const architecture = Object.hasOwn(architectures, family) ? architectures[family]! : null;
  if (architecture === null)
    throw new UserError(
      'unsupportedModel',
      `llama.cpp knows no models of the family ${family}; export one of ${Object.keys(architectures).join(', ')}.`,
    );
  const reason = biasWithoutPlace(facts.config, architecture) ?? architecture.refuses?.(facts) ?? null;
  if (reason !== null)
    throw new UserError('unsupportedModel', `This ${family} cannot become a GGUF file: llama.cpp ${reason}.`);
  return architecture;
}

function biasWithoutPlace({ biases }: ModelConfig, { biases: known }: Architecture): string | null {
  const { qkv, attentionOutput, mlp } = biases;
  const lacksPlace = known === 'all' ? false : attentionOutput || mlp || (qkv && known === 'none');
  return lacksPlace ? 'has no place for the biases of this model' : null;
}

/** In how many tokens a window that llama.cpp does not know makes no difference; null: there is no such window. */
export function unknownWindow({ blocks, contextLength, family }: ModelConfig): number | null {
  if (family.startsWith('gemma')) return null;
  const windows = blocks.flatMap(({ slidingWindow }) => slidingWindow ?? []);
  const least = Math.min(...windows);
  return windows.length > 0 && least < contextLength ? least : null;
}
