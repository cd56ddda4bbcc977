// The front matter of a card, by the hub's specification (hub-docs, modelcard.md): what the hub files a model under.
import { isEmpty } from '../../shared/dropSets';
import { isMetric } from '../../shared/metrics';
import { tasksNamed } from '../../evaluation/tasks';
import type { EvaluatedTask } from '../../recipes/evaluate/recipe';
import { type CardFacts, evaluationsOf, isThis, type ReportOf, reportsOf } from './facts';
import { hubYaml, isPlainNumber } from './hubYaml';
import { stepsOf } from './steps';

export function frontMatter(facts: CardFacts): string {
  const { of, base, licence, languages, datasets, newVersion, name } = facts;
  const results = resultsOf(facts);
  const fields = {
    ...(base !== null && { base_model: [base], base_model_relation: relationOf(facts) }),
    ...(licence.id !== null && { license: licence.id }),
    ...(licence.name !== undefined && { license_name: licence.name }),
    ...(licence.link !== undefined && { license_link: licence.link }),
    ...(languages.length > 0 && { language: [...languages] }),
    library_name: of === 'adapter' ? 'peft' : 'transformers',
    pipeline_tag: 'text-generation',
    tags: tagsOf(facts),
    ...(datasets.length > 0 && { datasets: [...datasets] }),
    ...(newVersion !== null && { new_version: newVersion }),
    ...(results.length > 0 && { 'model-index': [{ name: name.split('/').at(-1)!, results }] }),
  };
  return `---\n${hubYaml(fields)}---\n`;
}

/** The hub knows adapter, finetune, merge and quantized; a model of fewer blocks is filed as a finetune of its original. */
const relationOf = ({ of }: CardFacts): 'adapter' | 'finetune' => (of === 'adapter' ? 'adapter' : 'finetune');

function tagsOf(facts: CardFacts): string[] {
  const { of, cut } = facts;
  return [
    'espalier',
    ...(isEmpty(cut) ? [] : ['pruned', 'depth-pruning']),
    ...(stepsOf(facts, 'sparsify').length > 0 ? ['sparse'] : []),
    ...(of === 'adapter' || stepsOf(facts, 'merge').length > 0 ? ['healed', 'lora'] : []),
  ];
}

interface Result {
  readonly task: { readonly type: 'text-generation'; readonly name: string };
  readonly dataset: { name: string; type: string; config?: string; split?: string };
  readonly metrics: { type: string; value: number; name: string }[];
}

/** Of this model alone: the scores of evaluations, and losses where nothing was evaluated. */
export const resultsOf = (facts: CardFacts): Result[] => [
  ...evaluationsOf(facts).flatMap((report) => ofEvaluation(report, facts)),
  ...reportsOf(facts, 'perplexity').flatMap((report) => ofPerplexity(report, facts)),
];

function ofEvaluation({ models, tasks: evaluated, scores }: ReportOf<'evaluate'>, facts: CardFacts): Result[] {
  const own = models.findIndex((model) => isThis(facts, model));
  if (own === -1) return [];
  return evaluated.flatMap((task): Result[] => {
    const ofTask = scores.filter(({ model, task: name }) => model === own && name === task.task);
    const metrics = ofTask.filter(({ metric, value }) => isMetric(metric) && isPlainNumber(value));
    if (metrics.length === 0) return [];
    return [
      {
        task: { type: 'text-generation', name: 'Text Generation' },
        dataset: datasetOf(task),
        metrics: metrics.map(({ metric, value }) => ({ type: metric, value, name: metric })),
      },
    ];
  });
}

function datasetOf({ task, title }: EvaluatedTask): Result['dataset'] {
  const row = tasksNamed(task).find(({ name }) => name === task);
  if (!row) return { name: title, type: task };
  const { hub, split } = row;
  return { name: title, type: hub.dataset, ...(hub.config !== null && { config: hub.config }), split };
}

function ofPerplexity({ models }: ReportOf<'perplexity'>, facts: CardFacts): Result[] {
  const own = models.find(({ dropSet, droppedSublayers, ...model }) =>
    isThis(facts, { ...model, drop: { blocks: dropSet, ...droppedSublayers } }),
  );
  if (!own || !isPlainNumber(own.perplexity)) return [];
  const name = own.source.files.map((file) => file.name).join(', ');
  return [
    {
      task: { type: 'text-generation', name: 'Text Generation' },
      dataset: { name, type: name },
      metrics: [{ type: 'perplexity', value: own.perplexity, name: 'perplexity' }],
    },
  ];
}
