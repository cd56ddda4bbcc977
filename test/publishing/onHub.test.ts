// Cards as the hub's own tables see them (@huggingface/tasks, which its pages are made of): what they are filed under exists, and
// what the hub tells people to type is what the card tells them.
import {
  LIBRARY_TASK_MAPPING,
  type LibraryUiElement,
  LOCAL_APPS,
  MODEL_LIBRARIES_UI_ELEMENTS,
  type ModelData,
  PIPELINE_DATA,
} from '@huggingface/tasks';

import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cardText } from '../../server/publishing/card/card';

import { madeFacts } from './madeFacts';

const cards = [
  { card: 'a model', text: cardText(madeFacts()), id: 'somebody/thing' },
  { card: 'an adapter', text: cardText(madeFacts({ of: 'adapter', model: null })), id: 'somebody/thing' },
];

interface Front {
  base_model: string[];
  pipeline_tag: keyof typeof PIPELINE_DATA;
  library_name: keyof typeof MODEL_LIBRARIES_UI_ELEMENTS & keyof typeof LIBRARY_TASK_MAPPING;
  tags: string[];
  'model-index'?: { results: { task: { type: keyof typeof PIPELINE_DATA } }[] }[];
}

/** As the hub describes a repository with such a card. */
function onHub(text: string, id: string): ModelData & { front: Front } {
  const front = parse(text.split('---\n')[1]!) as Front;
  const { base_model, pipeline_tag, library_name, tags } = front;
  return {
    front,
    id,
    inference: '',
    tags: [...tags, library_name, pipeline_tag, 'safetensors'],
    pipeline_tag,
    library_name,
    cardData: { base_model },
    config: { peft: { base_model_name_or_path: base_model[0]!, task_type: 'CAUSAL_LM' } },
    transformersInfo: { auto_model: 'AutoModelForCausalLM', pipeline_tag, processor: 'AutoTokenizer' },
  };
}

describe.each(cards)('the card of $card', ({ text, id }) => {
  const model = onHub(text, id);
  const { front } = model;

  it('is filed under a task and a library that exist', () => {
    expect(PIPELINE_DATA).toHaveProperty(front.pipeline_tag);
    expect(MODEL_LIBRARIES_UI_ELEMENTS).toHaveProperty(front.library_name);
    for (const { results } of front['model-index'] ?? [])
      for (const { task } of results) expect(PIPELINE_DATA).toHaveProperty(task.type);
  });

  it('says what the hub says of how to load it', () => {
    const library: LibraryUiElement = MODEL_LIBRARIES_UI_ELEMENTS[front.library_name];
    const calls = library.snippets!(model)
      .join('\n')
      .matchAll(/(\w+)\.from_pretrained\((?:base_model, )?("[^"]+")/g);
    const said = [...calls].map(([, name, argument]) => ({ name: name!, argument: argument! }));
    expect(said.length).toBeGreaterThan(1);
    for (const { name, argument } of said)
      expect(text).toMatch(new RegExp(`${name}\\.from_pretrained\\((model, )?${argument}\\)`));
  });
});

it('a model is offered for vLLM as its card says', () => {
  const { text, id } = cards[0]!;
  const model = onHub(text, id);
  expect(LIBRARY_TASK_MAPPING.transformers).toContain(model.pipeline_tag);
  const { displayOnModelPage, snippet } = LOCAL_APPS.vllm;
  expect(displayOnModelPage(model)).toBe(true);
  const said = JSON.stringify((snippet as (model: ModelData) => unknown)(model)).replaceAll('\\"', '');
  expect(said).toContain(`vllm serve ${id}`);
  expect(text).toContain(`vllm serve ${id}`);
});
