// ARC (Clark et al., 2018): school science, easy and challenge.
import { hubPlaces, labelledChoices, rowsForm, stemAndChoices, text, texts, wholeNumber } from './forms';
import type { Question, Split, Task } from './task';

export const arcEasy = arc('arc_easy', 'ARC-Easy', 'ARC, easy');
export const arcChallenge = arc('arc_challenge', 'ARC-Challenge', 'ARC, challenge');

const inOriginal: Record<Split, string> = { train: 'Train', validation: 'Dev', test: 'Test', dev: 'Dev' };

function arc(name: string, config: string, title: string): Task {
  const hub = { dataset: 'allenai/ai2_arc', config };
  return {
    name,
    title,
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
        [`${config}-${inOriginal[split]}.jsonl`],
        { question: stemAndChoices, answerKey: text },
        ({ question: { stem, choices }, answerKey }) => {
          const gold = choices.findIndex(({ label }) => label === answerKey);
          const texts = choices.map(({ text }) => text);
          return asked(stem, texts, gold);
        },
      ),
    ],
  };
}

const asked = (question: string, choices: string[], gold: number): Question => ({
  kind: 'choices',
  context: `Question: ${question}\nAnswer:`,
  choices,
  gold,
});
