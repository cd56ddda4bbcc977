// LAMBADA (Paperno et al., 2016) in OpenAI's form: the last word of a passage.
import { hubPlaces, rowsForm, text } from './forms';
import type { Question, Task } from './task';

const hub = { dataset: 'EleutherAI/lambada_openai', config: 'default' };

export const lambadaOpenai: Task = {
  name: 'lambada_openai',
  title: 'LAMBADA, OpenAI',
  version: 1,
  group: null,
  output: 'logLikelihood',
  metrics: ['perplexity', 'acc'],
  description: '',
  hub,
  split: 'test',
  // There is no other split, so examples are drawn from the questions themselves, and nothing is taken out.
  fewShot: { kind: 'drawn', split: 'test', oneMore: false },
  forms: (split) => [
    rowsForm(
      [
        ...hubPlaces('lambada_openai', hub, split),
        'lambada_openai/data/lambada_test.jsonl',
        `lambada/lambada_${split}.jsonl`,
      ],
      { text },
      (row) => asked(row.text),
    ),
    rowsForm(
      ['llm-foundry-icl/lambada_openai.jsonl'],
      { context: text, continuation: text },
      ({ context, continuation }) => asked(`${context} ${continuation}`),
    ),
  ],
};

function asked(passage: string): Question {
  const words = passage.split(' ');
  return { kind: 'target', context: words.slice(0, -1).join(' '), target: ` ${words.at(-1)}` };
}
