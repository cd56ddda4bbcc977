// OpenBookQA (Mihaylov et al., 2018), without the book: a sentence to be finished, or a question.
import { hubPlaces, labelledChoices, rowsForm, stemAndChoices, text, textForm } from './forms';
import { lstrip, strip } from './pythonText';
import type { Question, Split, Task } from './task';

const hub = { dataset: 'allenai/openbookqa', config: 'main' };
const inOriginal: Record<Split, string> = { train: 'train', validation: 'dev', test: 'test', dev: 'dev' };
const columns = ['ID', 'Question Stem', 'Choices', 'Complete Question', 'Answer Key'];

export const openbookqa: Task = {
  name: 'openbookqa',
  title: 'OpenBookQA',
  version: 1,
  group: null,
  output: 'multipleChoice',
  metrics: ['acc', 'acc_norm'],
  description: '',
  hub,
  split: 'test',
  fewShot: { kind: 'drawn', split: 'train', oneMore: false },
  forms: (split) => [
    rowsForm(
      hubPlaces('openbookqa', hub, split),
      { question_stem: text, choices: labelledChoices, answerKey: text },
      ({ question_stem, choices, answerKey }) =>
        asked(question_stem, choices.text, choices.label.indexOf(lstrip(answerKey))),
    ),
    textForm([`openbookqa/${inOriginal[split]}.tsv`], `columns ${columns.join(', ')}, between tabs`, fromTsv),
    rowsForm(
      [`openbookqa/${inOriginal[split]}.jsonl`, `Main/${inOriginal[split]}.jsonl`],
      { question: stemAndChoices, answerKey: text },
      ({ question: { stem, choices }, answerKey }) => {
        const gold = choices.findIndex(({ label }) => label === lstrip(answerKey));
        const texts = choices.map(({ text }) => text);
        return asked(stem, texts, gold);
      },
    ),
  ],
};

const asked = (context: string, choices: string[], gold: number): Question => ({
  kind: 'choices',
  context,
  choices,
  gold,
});

/** Choices are one text, `(A) first (B) second`, and no field is quoted. */
function fromTsv(file: string): Question[] | null {
  const [header, ...rows] = file.split(/\r?\n/).filter((line) => line !== '');
  const places = columns.map((column) => header?.split('\t').indexOf(column) ?? -1);
  if (places.includes(-1)) return null;
  const [, stem = 0, choices = 0, , key = 0] = places;
  return rows.map((row) => {
    const cells = row.split('\t');
    const options = (cells[choices] ?? '').split(/\([A-D]\) /).slice(1);
    return asked(cells[stem] ?? '', options.map(strip), 'ABCD'.indexOf(strip(cells[key] ?? '') || '?'));
  });
}
