// What makes two scores incomparable though they carry one name, a sentence each: the rules of shared/comparability.ts as
// warnings of a report.
import type { ItemRange, EvaluatedModel, EvaluatedTask, EvaluateReport } from '../recipes/evaluate/recipe';
import { modelRules, taskRules } from '../shared/comparability';

/** Of the models of one evaluation, beside the first. */
export function modelWarnings([base, ...variants]: readonly EvaluatedModel[]): string[] {
  if (!base) return [];
  const { tokenizer, precision, length } = modelRules;
  return [tokenizer, precision, length].flatMap(({ of, sentence }) =>
    variants
      .filter((variant) => of({ model: variant }) !== of({ model: base }))
      .map((variant) => sentence(variant, base)),
  );
}

/** What a comparison of two evaluations needs of them. */
export type EvaluationSettings = Pick<EvaluateReport, 'models' | 'tasks' | 'items' | 'versions'>;

/** Of two evaluations: what differs in the tasks that both have, in their bases, and in the programs. */
export function settingsWarnings(one: EvaluationSettings, other: EvaluationSettings): string[] {
  const shared = one.tasks.flatMap((task) => {
    const same = other.tasks.find((it) => it.task === task.task);
    return same ? [[task, same] as const] : [];
  });
  const { data, shots, items: numbers, version } = taskRules;
  const ofTasks = [data, shots, numbers, version].flatMap(({ of, noun, isNamed }) => {
    const differ = shared.filter(([a, b]) => of(whole(a)) !== of(whole(b)));
    if (differ.length === 0) return [];
    const [a, b] = differ[0]!;
    const both = `${of(whole(a))} and ${of(whole(b))}${differ.length > 1 ? ` for ${a.task}` : ''}`;
    const figures = isNamed ? ` (${both})` : '';
    return [`${namesOf(differ.map(([{ task }]) => task))}: ${noun} differ${figures}; evaluate both in the same way.`];
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

/** The ranges of items have a sentence of their own. */
const whole = (task: EvaluatedTask) => ({ task, firstItem: 0, nItems: task.nItems });

const namesOf = (names: readonly string[]) =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;

const rangeOf = (items: ItemRange | null) => (items ? `items ${items.first} to ${items.end - 1}` : 'all items');
