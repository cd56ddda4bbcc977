// The documents of tasks in which a text is to be completed: HellaSwag, WinoGrande and LAMBADA.
import { hubPlaces, rowsForm, text, texts, wholeNumber } from './forms';
import { capitalize, replace, strip } from './pythonText';
import type { DocumentForms, Question } from './task';
import type { Split } from '../../shared/tasks';

/** HellaSwag (Zellers et al., 2019): which of four endings follows. */
const hellaswag: DocumentForms = (split, hub) => {
  const original = `hellaswag/hellaswag_${hellaswagSplits[split]}.jsonl`;
  return [
    rowsForm(
      [...hubPlaces('hellaswag', hub, split), original],
      { activity_label: text, ctx_a: text, ctx_b: text, endings: texts, label: wholeNumber },
      ofScene,
    ),
    // A copy in which label and context are one text, and what stands in brackets has been taken out already.
    rowsForm([original], { ctx: text.includes(': '), endings: texts, label: wholeNumber }, ({ ctx, endings, label }) =>
      ofScene({ ...apart(ctx), endings, label }),
    ),
  ];
};

const hellaswagSplits: Record<Split, string> = { train: 'train', validation: 'val', test: 'test', dev: 'dev' };

interface Scene {
  activity_label: string;
  ctx_a: string;
  ctx_b: string;
  endings: string[];
  label: number;
}

const ofScene = ({ activity_label, ctx_a, ctx_b, endings, label }: Scene): Question => ({
  kind: 'choices',
  context: cleaned(`${activity_label}: ${ctx_a} ${capitalize(ctx_b)}`),
  choices: endings.map(cleaned),
  gold: label,
});

/** The brackets are left from WikiHow. White space is stripped first: what is bared by their removal stays. */
function cleaned(dirty: string): string {
  const titled = replace(strip(dirty), ' [title]', '. ');
  return replace(titled.replace(/\[[^\n]*?\]/g, ''), '  ', ' ');
}

/** The second half begins after the last sentence that ends. */
function apart(joined: string): Pick<Scene, 'activity_label' | 'ctx_a' | 'ctx_b'> {
  const border = joined.indexOf(': ');
  const context = joined.slice(border + 2);
  const [, ctx_a = context, ctx_b = ''] = /^([\s\S]*[.!?]["')]*) ([^.!?]+)$/.exec(context) ?? [];
  return { activity_label: joined.slice(0, border), ctx_a, ctx_b };
}

/**
 * WinoGrande (Sakaguchi et al., 2019): who is meant. Each option makes a context of its own, and what is scored is the rest
 * of the sentence, which is the same behind both.
 */
const winogrande: DocumentForms = (split, hub) => [
  rowsForm(
    [
      ...hubPlaces('winogrande', hub, split),
      `winogrande/${winograndeSplits[split]}.jsonl`,
      `winogrande_1.1/${winograndeSplits[split]}.jsonl`,
    ],
    { sentence: text.includes('_'), option1: text, option2: text, answer: wholeNumber },
    ({ sentence, option1, option2, answer }) => withGap(sentence, [option1, option2], answer - 1),
  ),
  ...(split === 'validation'
    ? [
        rowsForm(
          ['llm-foundry-icl/winogrande.jsonl'],
          { context_options: texts, continuation: text, gold: wholeNumber },
          ({ context_options, continuation, gold }) => {
            const { before, options } = parted(context_options);
            return withGap(`${before}_ ${continuation}`, options, gold);
          },
        ),
      ]
    : []),
];

const winograndeSplits: Record<Split, string> = { train: 'train_xl', validation: 'dev', test: 'test', dev: 'dev' };

function withGap(sentence: string, options: readonly string[], gold: number): Question {
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

/** LAMBADA (Paperno et al., 2016) in OpenAI's form: the last word of a passage. */
const lambada: DocumentForms = (split, hub) => [
  rowsForm(
    [
      ...hubPlaces('lambada_openai', hub, split),
      'lambada_openai/data/lambada_test.jsonl',
      `lambada/lambada_${split}.jsonl`,
    ],
    { text },
    (row) => withoutLastWord(row.text),
  ),
  rowsForm(
    ['llm-foundry-icl/lambada_openai.jsonl'],
    { context: text, continuation: text },
    ({ context, continuation }) => withoutLastWord(`${context} ${continuation}`),
  ),
];

function withoutLastWord(passage: string): Question {
  const words = passage.split(' ');
  return { kind: 'target', context: words.slice(0, -1).join(' '), target: ` ${words.at(-1)}` };
}

export const completion = { hellaswag, winogrande, lambada_openai: lambada };
