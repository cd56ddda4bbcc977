// The documents of MMLU (Hendrycks et al., 2021). Which letter comes is all that is scored.
import type { MmluSubject } from '../../shared/mmlu';
import { headlessCsvForm, hubPlaces, rowsForm, text, texts, wholeNumber } from './forms';
import { strip } from './pythonText';
import type { DocumentForms, Question } from './task';

export const mmluForms =
  ({ name, subject }: MmluSubject): DocumentForms =>
  (split, hub) => {
    const csv = [`mmlu/${split}/${subject}_${split}.csv`, `${split}/${subject}_${split}.csv`];
    return [
      rowsForm(
        hubPlaces(name, hub, split),
        { question: text, choices: texts.length(4), answer: wholeNumber },
        ({ question, choices, answer }) => asked(question, choices, answer),
      ),
      rowsForm(
        csv,
        { question: text, choice0: text, choice1: text, choice2: text, choice3: text, answer: wholeNumber },
        ({ question, choice0, choice1, choice2, choice3, answer }) =>
          asked(question, [choice0, choice1, choice2, choice3], answer),
      ),
      // The authors' own: no header, and the answer as a letter.
      headlessCsvForm(csv, 'six cells a row, the last of them A, B, C or D', ([question, ...cells]) => {
        const gold = letters.indexOf(cells[4] ?? '');
        return question === undefined || cells.length !== 5 || gold < 0
          ? null
          : asked(question, cells.slice(0, 4), gold);
      }),
    ];
  };

const letters = ['A', 'B', 'C', 'D'];

function asked(question: string, choices: readonly string[], gold: number): Question {
  const lines = letters.map((letter, i) => `${letter}. ${choices[i]}`);
  return { kind: 'choices', context: [strip(question), ...lines, 'Answer:'].join('\n'), choices: letters, gold };
}
