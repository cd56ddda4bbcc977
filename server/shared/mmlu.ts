// MMLU (Hendrycks et al., 2021): 57 subjects, each a task, in four groups. Pure.
import type { TaskFacts, TaskGroup } from './tasks';

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

/** Their scores are means of their tasks' scores, weighted by the number of items. */
export const mmluGroups: readonly TaskGroup[] = [
  { name: 'mmlu', title: 'MMLU', version: 2, parent: null },
  ...Object.entries(subjects).map(([name, { title }]) => ({ name, title, version: 2, parent: 'mmlu' })),
];

export interface MmluSubject extends TaskFacts {
  readonly name: string;
  /** As files are named. */
  readonly subject: string;
}

export const mmluSubjects: readonly MmluSubject[] = Object.entries(subjects).flatMap(([group, { subjects: names }]) =>
  names.split(/\s+/).map((subject) => subjectOf(subject, group)),
);

/** Six subjects that represent all: applied, rote, verbal and numerical ones. */
export const sixMmluSubjects = [
  'mmlu_medical_genetics',
  'mmlu_professional_law',
  'mmlu_philosophy',
  'mmlu_college_mathematics',
  'mmlu_high_school_physics',
  'mmlu_machine_learning',
] as const;

export const isMmlu = (task: string): boolean => task === 'mmlu' || task.startsWith('mmlu_');

/** All are of about one size. Which letter comes is all that is scored. */
function subjectOf(subject: string, group: string): MmluSubject {
  const words = subject.replaceAll('_', ' ');
  return {
    name: `mmlu_${subject}`,
    subject,
    title: words[0]!.toUpperCase() + words.slice(1),
    asks: null,
    nItems: 246,
    tokensPerItem: 103,
    version: 1,
    group,
    output: 'multipleChoice',
    metrics: ['acc'],
    description: `The following are multiple choice questions (with answers) about ${words}.\n\n`,
    hub: { dataset: 'cais/mmlu', config: subject },
    split: 'test',
    fewShot: { kind: 'first', split: 'dev' },
  };
}
