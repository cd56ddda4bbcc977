// PIQA (Bisk et al., 2020): which of two ways leads to a goal.
import { UserError } from '../../errors';
import * as z from 'zod';
import { parseJson } from '../../data/textSource';
import { hubPlaces, rowsForm, text, textForm, wholeNumber } from './forms';
import type { Question, Split, Task } from './task';

const hub = { dataset: 'baber/piqa', config: null };
const inOriginal: Record<Split, string> = { train: 'train', validation: 'valid', test: 'tests', dev: 'dev' };
const goalAndWays = z.object({ goal: text, sol1: text, sol2: text });

export const piqa: Task = {
  name: 'piqa',
  title: 'PIQA',
  version: 1,
  group: null,
  output: 'multipleChoice',
  metrics: ['acc', 'acc_norm'],
  description: '',
  hub,
  split: 'validation',
  fewShot: { kind: 'drawn', split: 'train', oneMore: true },
  forms: (split) => [
    rowsForm(hubPlaces('piqa', hub, split), { ...goalAndWays.shape, label: wholeNumber }, asked),
    // The authors keep the labels in a file of their own, a line a document.
    textForm(
      [`piqa/${inOriginal[split]}.jsonl`],
      `lines with goal, sol1, sol2 and as many labels in ${inOriginal[split]}-labels.lst`,
      (lines, name, labels) => labelled(lines, name, labels.split(/\s+/).filter(Boolean)),
      `${inOriginal[split]}-labels.lst`,
    ),
  ],
};

interface Document {
  goal: string;
  sol1: string;
  sol2: string;
  label: number;
}

const asked = ({ goal, sol1, sol2, label }: Document): Question => ({
  kind: 'choices',
  context: `Question: ${goal}\nAnswer:`,
  choices: [sol1, sol2],
  gold: label,
});

function labelled(text: string, name: string, labels: readonly string[]): Question[] | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length !== labels.length)
    throw new UserError(
      'badData',
      `${name} has ${lines.length} documents and its file of labels ${labels.length}; get both from one place.`,
    );
  const questions: Question[] = [];
  for (const [i, line] of lines.entries()) {
    const document = goalAndWays.safeParse(parseJson(line, `Line ${i + 1} of ${name}`));
    if (!document.success) return null;
    questions.push(asked({ ...document.data, label: Number(labels[i]) }));
  }
  return questions;
}
