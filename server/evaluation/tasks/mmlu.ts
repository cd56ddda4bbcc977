// MMLU (Hendrycks et al., 2021): 57 subjects, each a task, in four groups. Which letter comes is all that is scored.
import { headlessCsvForm, hubPlaces, rowsForm, text, texts, wholeNumber } from './forms';
import { strip } from './pythonText';
import type { Question, Task } from './task';

export interface TaskGroup {
  readonly name: string;
  readonly title: string;
  readonly version: number;
  readonly parent: string | null;
}

const subjects: Record<string, { title: string; subjects: string }> = {
  mmlu_stem: {
    title: 'STEM',
    subjects: `abstract_algebra anatomy astronomy college_biology college_chemistry college_computer_science
      college_mathematics college_physics computer_security conceptual_physics electrical_engineering
      elementary_mathematics high_school_biology high_school_chemistry high_school_computer_science
      high_school_mathematics high_school_physics high_school_statistics machine_learning`,
  },
  mmlu_other: {
    title: 'Other',
    subjects: `business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing
      medical_genetics miscellaneous nutrition professional_accounting professional_medicine virology`,
  },
  mmlu_social_sciences: {
    title: 'Social sciences',
    subjects: `econometrics high_school_geography high_school_government_and_politics high_school_macroeconomics
      high_school_microeconomics high_school_psychology human_sexuality professional_psychology public_relations
      security_studies sociology us_foreign_policy`,
  },
  mmlu_humanities: {
    title: 'Humanities',
    subjects: `formal_logic high_school_european_history high_school_us_history high_school_world_history
      international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy prehistory
      professional_law world_religions`,
  },
};

export const mmluGroups: TaskGroup[] = [
  { name: 'mmlu', title: 'MMLU', version: 2, parent: null },
  ...Object.entries(subjects).map(([name, { title }]) => ({ name, title, version: 2, parent: 'mmlu' })),
];

export const mmluTasks: Task[] = Object.entries(subjects).flatMap(([group, { subjects }]) =>
  subjects.split(/\s+/).map((subject) => mmluTask(subject, group)),
);

const letters = ['A', 'B', 'C', 'D'];

function mmluTask(subject: string, group: string): Task {
  const name = `mmlu_${subject}`;
  const words = subject.replaceAll('_', ' ');
  const hub = { dataset: 'cais/mmlu', config: subject };
  return {
    name,
    title: words[0]!.toUpperCase() + words.slice(1),
    version: 1,
    group,
    output: 'multipleChoice',
    metrics: ['acc'],
    description: `The following are multiple choice questions (with answers) about ${words}.\n\n`,
    hub,
    split: 'test',
    fewShot: { kind: 'first', split: 'dev' },
    forms(split) {
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
    },
  };
}

function asked(question: string, choices: readonly string[], gold: number): Question {
  const lines = letters.map((letter, i) => `${letter}. ${choices[i]}`);
  return { kind: 'choices', context: [strip(question), ...lines, 'Answer:'].join('\n'), choices: letters, gold };
}
