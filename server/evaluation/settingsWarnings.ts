// What makes two scores incomparable though they carry one name, a sentence each.
import type { ItemRange } from '../recipes/evaluate/recipe';
import type { EvaluatedModel, EvaluatedTask, EvaluateReport } from '../protocol/reports';

/** Of the models of one evaluation, beside the first. */
export function modelWarnings([base, ...variants]: readonly EvaluatedModel[]): string[] {
  return modelFacts.flatMap(({ of, sentence }) => {
    const others = variants.filter((variant) => base && of(variant) !== of(base));
    return others.map((variant) => sentence(variant, base!));
  });
}

interface ModelFact {
  of: (model: EvaluatedModel) => string | number;
  sentence: (variant: EvaluatedModel, base: EvaluatedModel) => string;
}

const modelFacts: readonly ModelFact[] = [
  {
    of: (model) => model.tokenizerSha256,
    sentence: (variant, base) =>
      `${variant.label} and ${base.label} have different tokenizers: what counts tokens cannot be compared between them; accuracies and perplexities by word or byte can.`,
  },
  {
    of: (model) => model.dtype,
    sentence: (variant, base) =>
      `${variant.label} is in ${variant.dtype} and ${base.label} in ${base.dtype}: a part of the difference may be rounding.`,
  },
  {
    of: (model) => model.maxTokens,
    sentence: (variant, base) =>
      `${variant.label} reads at most ${variant.maxTokens} tokens and ${base.label} ${base.maxTokens}: longer items are cut differently; set --max-tokens to compare them.`,
  },
];

/** What a comparison of two evaluations needs of them. */
export type EvaluationSettings = Pick<EvaluateReport, 'models' | 'tasks' | 'items' | 'versions'>;

/** Of two evaluations: what differs in the tasks that both have, in their bases, and in the programs. */
export function settingsWarnings(one: EvaluationSettings, other: EvaluationSettings): string[] {
  const shared = one.tasks.flatMap((task) => {
    const same = other.tasks.find((it) => it.task === task.task);
    return same ? [[task, same] as const] : [];
  });
  const ofTasks = taskFacts.flatMap(({ what, of }) => {
    const differ = shared.filter(([a, b]) => of(a) !== of(b));
    if (differ.length === 0) return [];
    const [a, b] = differ[0]!;
    const figures = of(a).length < 40 ? ` (${of(a)} and ${of(b)}${differ.length > 1 ? ` for ${a.task}` : ''})` : '';
    return [`${namesOf(differ.map(([{ task }]) => task))}: ${what} differ${figures}; evaluate both in the same way.`];
  });
  const items =
    shared.length > 0 && rangeOf(one.items) !== rangeOf(other.items)
      ? [`One evaluation took ${rangeOf(one.items)}, the other ${rangeOf(other.items)}; give both the same --items.`]
      : [];
  const [first, second] = [one.models[0], other.models[0]];
  const bases =
    first && second
      ? [
          { ...first, label: 'the first' },
          { ...second, label: 'The second evaluation' },
        ]
      : [];
  const programs = (['espalier', 'onnxruntime'] as const)
    .filter((name) => one.versions[name] !== other.versions[name])
    .map(
      (name) => `Scored with ${name} ${one.versions[name]} and ${other.versions[name]}; small differences may be its.`,
    );
  return [...ofTasks, ...items, ...modelWarnings(bases), ...programs];
}

interface TaskFact {
  what: string;
  of: (task: EvaluatedTask) => string;
}

const taskFacts: readonly TaskFact[] = [
  {
    what: 'the data',
    of: ({ files }) =>
      files
        .map(({ sha256 }) => sha256)
        .sort()
        .join(),
  },
  { what: 'the examples before each question', of: ({ nFewShot }) => `${nFewShot}` },
  { what: 'the numbers of items', of: ({ nItems }) => `${nItems}` },
  { what: "the task's versions", of: ({ version }) => `${version}` },
];

const namesOf = (names: readonly string[]) =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;

const rangeOf = (items: ItemRange | null) => (items ? `items ${items.first} to ${items.end - 1}` : 'all items');
