// BoolQ (Clark et al., 2019), as SuperGLUE has it: a passage, and a question that is answered by yes or no.
import * as z from 'zod';
import { hubPlaces, rowsForm, text, wholeNumber } from './forms';
import type { Question, Split, Task } from './task';

const hub = { dataset: 'aps/super_glue', config: 'boolq' };
const inOriginal: Record<Split, string> = { train: 'train', validation: 'val', test: 'test', dev: 'val' };

export const boolq: Task = {
  name: 'boolq',
  title: 'BoolQ',
  version: 2,
  group: null,
  output: 'multipleChoice',
  metrics: ['acc'],
  description: '',
  hub,
  split: 'validation',
  fewShot: { kind: 'drawn', split: 'train', oneMore: true },
  forms: (split) => [
    rowsForm(
      [...hubPlaces('boolq', hub, split), `boolq/${inOriginal[split]}.jsonl`, `BoolQ/${inOriginal[split]}.jsonl`],
      { passage: text, question: text, label: z.union([wholeNumber, z.boolean().transform(Number)]) },
      ({ passage, question, label }) => asked(passage, question, label),
    ),
    // llm-foundry's passages lack the title that SuperGLUE's begin with, so scores differ from published ones.
    ...(split === 'validation'
      ? [
          rowsForm(
            ['llm-foundry-icl/boolq.jsonl'],
            { query: text.includes(marker), gold: wholeNumber },
            ({ query, gold }) => {
              const border = query.lastIndexOf(marker);
              const passage = query.slice(0, border).replace(/^Passage: /, '');
              const question = query.slice(border + marker.length).replace(/\?$/, '');
              return asked(passage, question, gold);
            },
          ),
        ]
      : []),
  ],
};

const marker = '\nQuestion: ';

const asked = (passage: string, question: string, gold: number): Question => ({
  kind: 'choices',
  context: `${passage}${marker}${question}?\nAnswer:`,
  choices: ['no', 'yes'],
  gold,
});
