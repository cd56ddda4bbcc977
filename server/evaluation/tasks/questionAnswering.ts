// The documents of tasks that ask a question with answers to choose from: ARC, BoolQ, OpenBookQA and PIQA.
import { UserError } from '../../errors';
import * as z from 'zod';
import { parseJson } from '../../data/jsonRows';
import { hubPlaces, labelledChoices, rowsForm, stemAndChoices, text, textForm, texts, wholeNumber } from './forms';
import { lstrip, strip } from './pythonText';
import type { DocumentForms, Question } from './task';
import type { Split } from '../../shared/tasks';

/** ARC (Clark et al., 2018): school science, easy and challenge. */
const arc =
  (name: string): DocumentForms =>
  (split, hub) => [
    rowsForm(
      hubPlaces(name, hub, split),
      { question: text, choices: labelledChoices, answerKey: text },
      ({ question, choices, answerKey }) => asked(question, choices.text, choices.label.indexOf(answerKey)),
    ),
    // llm-foundry has the test split whole, with the first word of the prompt before the question.
    ...(split === 'test'
      ? [
          rowsForm(
            [`llm-foundry-icl/${name}.jsonl`],
            { query: text, choices: texts, gold: wholeNumber },
            ({ query, choices, gold }) => asked(query.replace(/^Question: /, ''), choices, gold),
          ),
        ]
      : []),
    rowsForm(
      [`${hub.config}-${arcSplits[split]}.jsonl`],
      { question: stemAndChoices, answerKey: text },
      ({ question: { stem, choices }, answerKey }) => {
        const gold = choices.findIndex(({ label }) => label === answerKey);
        const texts = choices.map(({ text }) => text);
        return asked(stem, texts, gold);
      },
    ),
  ];

const arcSplits: Record<Split, string> = { train: 'Train', validation: 'Dev', test: 'Test', dev: 'Dev' };

const asked = (question: string, choices: string[], gold: number): Question => ({
  kind: 'choices',
  context: `Question: ${question}\nAnswer:`,
  choices,
  gold,
});

/** BoolQ (Clark et al., 2019), as SuperGLUE has it: a passage, and a question that is answered by yes or no. */
const boolq: DocumentForms = (split, hub) => [
  rowsForm(
    [...hubPlaces('boolq', hub, split), `boolq/${boolqSplits[split]}.jsonl`, `BoolQ/${boolqSplits[split]}.jsonl`],
    { passage: text, question: text, label: z.union([wholeNumber, z.boolean().transform(Number)]) },
    ({ passage, question, label }) => askedOfPassage(passage, question, label),
  ),
  // llm-foundry's passages lack the title that SuperGLUE's begin with, so scores differ from published ones.
  ...(split === 'validation'
    ? [
        rowsForm(
          ['llm-foundry-icl/boolq.jsonl'],
          { query: text.includes(questionMarker), gold: wholeNumber },
          ({ query, gold }) => {
            const border = query.lastIndexOf(questionMarker);
            const passage = query.slice(0, border).replace(/^Passage: /, '');
            const question = query.slice(border + questionMarker.length).replace(/\?$/, '');
            return askedOfPassage(passage, question, gold);
          },
        ),
      ]
    : []),
];

const boolqSplits: Record<Split, string> = { train: 'train', validation: 'val', test: 'test', dev: 'val' };
const questionMarker = '\nQuestion: ';

const askedOfPassage = (passage: string, question: string, gold: number): Question => ({
  kind: 'choices',
  context: `${passage}${questionMarker}${question}?\nAnswer:`,
  choices: ['no', 'yes'],
  gold,
});

/** OpenBookQA (Mihaylov et al., 2018), without the book: a sentence to be finished, or a question. */
const openbookqa: DocumentForms = (split, hub) => [
  rowsForm(
    hubPlaces('openbookqa', hub, split),
    { question_stem: text, choices: labelledChoices, answerKey: text },
    ({ question_stem, choices, answerKey }) =>
      finished(question_stem, choices.text, choices.label.indexOf(lstrip(answerKey))),
  ),
  textForm([`openbookqa/${openbookqaSplits[split]}.tsv`], `columns ${tsvColumns.join(', ')}, between tabs`, fromTsv),
  rowsForm(
    [`openbookqa/${openbookqaSplits[split]}.jsonl`, `Main/${openbookqaSplits[split]}.jsonl`],
    { question: stemAndChoices, answerKey: text },
    ({ question: { stem, choices }, answerKey }) => {
      const gold = choices.findIndex(({ label }) => label === lstrip(answerKey));
      const texts = choices.map(({ text }) => text);
      return finished(stem, texts, gold);
    },
  ),
];

const openbookqaSplits: Record<Split, string> = { train: 'train', validation: 'dev', test: 'test', dev: 'dev' };
const tsvColumns = ['ID', 'Question Stem', 'Choices', 'Complete Question', 'Answer Key'];

const finished = (context: string, choices: string[], gold: number): Question => ({
  kind: 'choices',
  context,
  choices,
  gold,
});

/** Choices are one text, `(A) first (B) second`, and no field is quoted. */
function fromTsv(file: string): Question[] | null {
  const [header, ...rows] = file.split(/\r?\n/).filter((line) => line !== '');
  const places = tsvColumns.map((column) => header?.split('\t').indexOf(column) ?? -1);
  if (places.includes(-1)) return null;
  const [, stem = 0, choices = 0, , key = 0] = places;
  return rows.map((row) => {
    const cells = row.split('\t');
    const options = (cells[choices] ?? '').split(/\([A-D]\) /).slice(1);
    return finished(cells[stem] ?? '', options.map(strip), 'ABCD'.indexOf(strip(cells[key] ?? '') || '?'));
  });
}

/** PIQA (Bisk et al., 2020): which of two ways leads to a goal. */
const piqa: DocumentForms = (split, hub) => [
  rowsForm(hubPlaces('piqa', hub, split), { ...goalAndWays.shape, label: wholeNumber }, byWays),
  // The authors keep the labels in a file of their own, a line a document.
  textForm(
    [`piqa/${piqaSplits[split]}.jsonl`],
    `lines with goal, sol1, sol2 and as many labels in ${piqaSplits[split]}-labels.lst`,
    (lines, name, labels) => labelled(lines, name, labels.split(/\s+/).filter(Boolean)),
    `${piqaSplits[split]}-labels.lst`,
  ),
];

const piqaSplits: Record<Split, string> = { train: 'train', validation: 'valid', test: 'tests', dev: 'dev' };
const goalAndWays = z.object({ goal: text, sol1: text, sol2: text });

const byWays = ({ goal, sol1, sol2, label }: z.infer<typeof goalAndWays> & { label: number }): Question =>
  asked(goal, [sol1, sol2], label);

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
    questions.push(byWays({ ...document.data, label: Number(labels[i]) }));
  }
  return questions;
}

export const questionAnswering = {
  arc_easy: arc('arc_easy'),
  arc_challenge: arc('arc_challenge'),
  boolq,
  openbookqa,
  piqa,
};
