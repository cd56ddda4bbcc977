// WinoGrande (Sakaguchi et al., 2019): who is meant. Each option makes a context of its own, and what is scored is the rest
// of the sentence, which is the same behind both.
import { hubPlaces, rowsForm, text, texts, wholeNumber } from './forms';
import { strip } from './pythonText';
import type { Question, Split, Task } from './task';

const hub = { dataset: 'allenai/winogrande', config: 'winogrande_xl' };
const inOriginal: Record<Split, string> = { train: 'train_xl', validation: 'dev', test: 'test', dev: 'dev' };

export const winogrande: Task = {
  name: 'winogrande',
  title: 'WinoGrande',
  version: 1,
  group: null,
  output: 'multipleChoice',
  metrics: ['acc'],
  description: '',
  hub,
  split: 'validation',
  fewShot: { kind: 'drawn', split: 'train', oneMore: true },
  forms: (split) => [
    rowsForm(
      [
        ...hubPlaces('winogrande', hub, split),
        `winogrande/${inOriginal[split]}.jsonl`,
        `winogrande_1.1/${inOriginal[split]}.jsonl`,
      ],
      { sentence: text.includes('_'), option1: text, option2: text, answer: wholeNumber },
      ({ sentence, option1, option2, answer }) => asked(sentence, [option1, option2], answer - 1),
    ),
    ...(split === 'validation'
      ? [
          rowsForm(
            ['llm-foundry-icl/winogrande.jsonl'],
            { context_options: texts, continuation: text, gold: wholeNumber },
            ({ context_options, continuation, gold }) => {
              const { before, options } = parted(context_options);
              return asked(`${before}_ ${continuation}`, options, gold);
            },
          ),
        ]
      : []),
  ],
};

function asked(sentence: string, options: readonly string[], gold: number): Question {
  const gap = sentence.indexOf('_');
  return {
    kind: 'contexts',
    contexts: options.map((option) => sentence.slice(0, gap) + option),
    continuation: strip(sentence.slice(gap + 1)),
    gold,
  };
}

/** Contexts that have been filled in differ from a word on. */
function parted(contexts: readonly string[]): { before: string; options: string[] } {
  const [a = '', ...others] = contexts;
  let common = 0;
  while (common < a.length && others.every((other) => other[common] === a[common])) common++;
  const cut = a.lastIndexOf(' ', common - 1) + 1;
  return { before: a.slice(0, cut), options: contexts.map((context) => context.slice(cut)) };
}
