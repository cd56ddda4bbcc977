// Who made a model and of what: general.* of a GGUF file, from the README's front matter, config.json, generation_config.json
// and the folder's name, in the order in which llama.cpp's converter asks them (gguf/metadata.py). Pure.
import { isRecord } from '../shared/records';
import { float32, int32, type Keys, setList, setText, uint32 } from './keys';
import type { ModelCard } from './modelCard';
import { asTitle, nameParts, sizeInWords } from './modelName';

export interface AuthorshipFacts {
  readonly card: ModelCard;
  readonly config: Readonly<Record<string, unknown>>;
  readonly generation: Readonly<Record<string, unknown>>;
  /** The folder's name, or OWNER/NAME. */
  readonly name: string;
  /** Of all tensors that are written. */
  readonly nParameters: number;
}

/** Where each field stands in a card; the first that is there counts. */
const inCard = {
  name: ['name', 'model_name'],
  author: ['author', 'model_author', 'model_creator'],
  version: ['version', 'model_version'],
  organization: ['organization', 'model_organization'],
  finetune: ['finetune', 'model_finetune'],
  basename: ['basename', 'model_basename', 'model_type'],
  description: ['description', 'model_description'],
  sizeLabel: ['size_label', 'model_size_label'],
  license: ['license'],
  licenseName: ['license_name'],
  licenseLink: ['license_link'],
  sourceUrl: ['url', 'model_url'],
  sourceDoi: ['doi', 'model_doi'],
  sourceUuid: ['uuid', 'model_uuid'],
  sourceRepoUrl: ['repo_url', 'model_repo_url'],
} as const;

type Field = keyof typeof inCard;

/** In the order in which they are written. */
const fieldKeys: Readonly<Record<Field, string>> = {
  name: 'general.name',
  author: 'general.author',
  version: 'general.version',
  organization: 'general.organization',
  finetune: 'general.finetune',
  basename: 'general.basename',
  description: 'general.description',
  sizeLabel: 'general.size_label',
  license: 'general.license',
  licenseName: 'general.license.name',
  licenseLink: 'general.license.link',
  sourceUrl: 'general.source.url',
  sourceDoi: 'general.source.doi',
  sourceUuid: 'general.source.uuid',
  sourceRepoUrl: 'general.source.repo_url',
};

export function setAuthorship(keys: Keys, facts: AuthorshipFacts): void {
  const { card, nParameters } = facts;
  setSampling(keys, facts.generation);
  const fields = fieldsOf(facts);
  for (const [field, key] of Object.entries(fieldKeys)) setText(keys, key, fields.get(field as Field) ?? '');
  setRelatives(keys, 'base_model', card.base_model ?? card.base_models ?? card.base_model_sources, nParameters);
  setRelatives(keys, 'dataset', card.datasets ?? card.dataset ?? card.dataset_sources, nParameters);
  setList(keys, 'general.tags', 'string', [...texts(card.tags), ...texts(card.pipeline_tag)]);
  setList(keys, 'general.languages', 'string', [...texts(card.languages), ...texts(card.language)]);
}

function fieldsOf({ card, config, name, nParameters }: AuthorshipFacts): Map<Field, string> {
  const fields = new Map<Field, string>();
  for (const [field, places] of Object.entries(inCard)) {
    const found = places.map((place) => card[place]).find((value) => value !== undefined && value !== null);
    if (found !== undefined) fields.set(field as Field, texts(found).join(','));
  }
  const { _name_or_path: from } = config;
  const ids = typeof from === 'string' && from.split('/').length <= 2 ? [from, name] : [name];
  for (const id of ids) {
    const parts = nameParts(id, nParameters);
    const said: Partial<Record<Field, string | null>> = {
      name: asTitle(parts.fullName),
      organization: parts.organization && asTitle(parts.organization),
      basename: parts.basename,
      finetune: parts.finetune,
      version: parts.version,
      sizeLabel: parts.sizeLabel,
    };
    for (const [field, value] of Object.entries(said) as [Field, string | null][])
      if (value !== null && !fields.has(field)) fields.set(field, value);
  }
  if (!fields.has('sizeLabel')) fields.set('sizeLabel', sizeInWords(nParameters));
  return fields;
}

const samplingKeys = [
  ['top_k', 'top_k', int32],
  ['top_p', 'top_p', float32],
  ['min_p', 'min_p', float32],
  ['xtc_probability', 'xtc_probability', float32],
  ['xtc_threshold', 'xtc_threshold', float32],
  ['temperature', 'temp', float32],
  ['penalty_last_n', 'penalty_last_n', int32],
  ['penalty_repeat', 'penalty_repeat', float32],
  ['mirostat', 'mirostat', int32],
  ['mirostat_tau', 'mirostat_tau', float32],
  ['mirostat_eta', 'mirostat_eta', float32],
] as const;

function setSampling(keys: Keys, generation: Readonly<Record<string, unknown>>): void {
  if (typeof generation.sequence === 'string') setText(keys, 'general.sampling.sequence', generation.sequence);
  for (const [field, key, as] of samplingKeys) {
    const value = generation[field];
    if (typeof value === 'number') keys.set(`general.sampling.${key}`, as(value));
  }
}

const relativeFields = ['name', 'author', 'version', 'organization', 'description', 'url', 'doi', 'uuid', 'repo_url'];

/** The models or data sets that it comes from: names of the hub, addresses, or objects with these fields. */
function setRelatives(keys: Keys, kind: 'base_model' | 'dataset', said: unknown, nParameters: number): void {
  if (said === undefined) return;
  const relatives = (Array.isArray(said) ? said : typeof said === 'string' ? [said] : []).map((one: unknown) =>
    isRecord(one) ? one : typeof one === 'string' ? relativeOf(one, nParameters) : {},
  );
  keys.set(`general.${kind}.count`, uint32(relatives.length));
  for (const [i, relative] of relatives.entries())
    for (const field of relativeFields)
      setText(keys, `general.${kind}.${i}.${field}`, texts(relative[field]).join(','));
}

function relativeOf(id: string, nParameters: number): Record<string, unknown> {
  const isAddress = /^(https?|ssh):\/\//.test(id);
  const onHub = isAddress ? /^https?:\/\/huggingface.co\/([^/]+\/[^/]+)$/.exec(id)?.[1] : id;
  if (onHub === undefined) return { repo_url: id };
  const { fullName, organization, version } = nameParts(onHub, nParameters);
  const address = organization && `https://huggingface.co/${organization}/${fullName}`;
  return {
    name: asTitle(fullName),
    organization: organization && asTitle(organization),
    version,
    repo_url: isAddress ? id : address,
  };
}

const texts = (value: unknown): string[] =>
  value === undefined || value === null ? [] : [value].flat().map((one) => String(one));
