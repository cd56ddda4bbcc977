// HellaSwag (Zellers et al., 2019): which of four endings follows.
import { hubPlaces, rowsForm, text, texts, wholeNumber } from './forms';
import { capitalize, replace, strip } from './pythonText';
import type { Question, Split, Task } from './task';

const hub = { dataset: 'Rowan/hellaswag', config: null };
const inOriginal: Record<Split, string> = { train: 'train', validation: 'val', test: 'test', dev: 'dev' };

export const hellaswag: Task = {
  name: 'hellaswag',
  title: 'HellaSwag',
  version: 1,
  group: null,
  output: 'multipleChoice',
  metrics: ['acc', 'acc_norm'],
  description: '',
  hub,
  split: 'validation',
  fewShot: { kind: 'drawn', split: 'train', oneMore: true },
  forms(split) {
    const original = `hellaswag/hellaswag_${inOriginal[split]}.jsonl`;
    return [
      rowsForm(
        [...hubPlaces('hellaswag', hub, split), original],
        { activity_label: text, ctx_a: text, ctx_b: text, endings: texts, label: wholeNumber },
        question,
      ),
      // A copy in which label and context are one text, and what stands in brackets has been taken out already.
      rowsForm(
        [original],
        { ctx: text.includes(': '), endings: texts, label: wholeNumber },
        ({ ctx, endings, label }) => question({ ...apart(ctx), endings, label }),
      ),
    ];
  },
};

interface Document {
  activity_label: string;
  ctx_a: string;
  ctx_b: string;
  endings: string[];
  label: number;
}

const question = ({ activity_label, ctx_a, ctx_b, endings, label }: Document): Question => ({
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
function apart(joined: string): Pick<Document, 'activity_label' | 'ctx_a' | 'ctx_b'> {
  const border = joined.indexOf(': ');
  const context = joined.slice(border + 2);
  const [, ctx_a = context, ctx_b = ''] = /^([\s\S]*[.!?]["')]*) ([^.!?]+)$/.exec(context) ?? [];
  return { activity_label: joined.slice(0, border), ctx_a, ctx_b };
}
