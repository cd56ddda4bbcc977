// Cards: their numbers are those of reports, their front matter is what the hub files models by, and licences are kept.
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { blockStrip } from '../../server/publishing/card/blockStrip';
import { cardFiles, cardText, cardWarnings } from '../../server/publishing/card/card';
import type { CardFacts } from '../../server/publishing/card/facts';
import { type LicenceSources, licenceOf, licences, refuseAgainstLicence } from '../../server/publishing/card/licences';
import { lossCurve } from '../../server/publishing/card/lossCurve';
import { originOf } from '../../server/publishing/card/originFrontMatter';
import { ownProseIn } from '../../server/publishing/card/ownProse';
import { madeStudy } from '../reporting/madeStudy';
import { numbersOf, strangeNumbers } from './cardNumbers';
import { madeFacts, reports } from './madeFacts';

const study = madeStudy({ counts: [4], methods: ['weightMagnitude', 'blockInfluence', 'greedy'], healedAt: 4 });
const merge = { kind: 'merge', adapter: 'adapter', options: { rank: 11, alpha: 22.5, targets: ['q_proj'] } };
const variants: { variant: string; facts: CardFacts }[] = [
  { variant: 'a pruned model', facts: madeFacts() },
  { variant: 'a healed model', facts: madeFacts({ steps: [...madeFacts().steps, merge] }) },
  { variant: 'an adapter', facts: madeFacts({ of: 'adapter', model: null, folder: '/x/adapter' }) },
  {
    variant: 'a variant of a study',
    facts: madeFacts({
      folder: '/x/SmolLM2-135M-pruned',
      cut: { original: 'owner/SmolLM2-135M', nBlocks: 30, blocks: [12, 13, 14, 15], attention: [], mlp: [] },
      steps: [],
      reports: [study],
    }),
  },
  { variant: 'a model without reports', facts: madeFacts({ reports: [] }) },
  {
    variant: 'a model with zeroed weights',
    facts: madeFacts({
      cut: { ...madeFacts().cut, blocks: [], attention: [] },
      steps: [{ kind: 'sparsify', ratio: 0.317 }],
      reports: [],
    }),
  },
];

describe('the numbers of a card', () => {
  it.each(variants)('of $variant all stand in what it was made of', ({ facts }) => {
    const { model, cut, steps } = facts;
    const card = cardText(facts);
    expect(numbersOf(card).length).toBeGreaterThan(4);
    expect(strangeNumbers(card, [model, cut, steps, facts.reports])).toEqual([]);
  });

  it('are looked at one by one', () => {
    const { model, cut, steps } = madeFacts();
    const sources = [model, cut, steps, reports];
    const card = cardText(madeFacts());
    expect(strangeNumbers(`${card}\nIt is 3.9917 times as fast.`, sources)).toEqual(['3.9917']);
    expect(strangeNumbers(card.replace('2.9873', '2.9874'), sources)).toEqual(['2.9874']);
    expect(strangeNumbers(card.replace('58.7 ±', '58.8 ±'), sources)).toEqual(['58.8']);
  });

  it('change with those of the reports', () => {
    const other = JSON.parse(JSON.stringify(reports).replaceAll('0.512741', '0.413579')) as typeof reports;
    expect(cardText(madeFacts({ reports: other }))).toContain('41.4 ±');
  });
});

describe('the front matter', () => {
  const front = (facts: CardFacts) => parse(cardText(facts).split('---\n')[1]!) as Record<string, unknown>;

  it('is what the hub files a pruned model by', () => {
    const { 'model-index': index, ...rest } = front(madeFacts({ newVersion: 'somebody/newer' }));
    expect(rest).toEqual({
      base_model: ['owner/small'],
      base_model_relation: 'finetune',
      license: 'apache-2.0',
      language: ['en'],
      library_name: 'transformers',
      pipeline_tag: 'text-generation',
      tags: ['espalier', 'pruned', 'depth-pruning'],
      datasets: ['owner/texts'],
      new_version: 'somebody/newer',
    });
    expect(index).toEqual([
      {
        name: 'thing',
        results: [
          {
            task: { type: 'text-generation', name: 'Text Generation' },
            dataset: { name: 'ARC, easy', type: 'allenai/ai2_arc', config: 'ARC-Easy', split: 'test' },
            metrics: [{ type: 'acc_norm', value: 0.512_741, name: 'acc_norm' }],
          },
          {
            task: { type: 'text-generation', name: 'Text Generation' },
            dataset: { name: 'calibration.txt', type: 'calibration.txt' },
            metrics: [{ type: 'perplexity', value: Math.exp(2.987_34), name: 'perplexity' }],
          },
        ],
      },
    ]);
  });

  it('files an adapter under PEFT', () => {
    expect(front(variants[2]!.facts)).toMatchObject({
      base_model_relation: 'adapter',
      library_name: 'peft',
      tags: ['espalier', 'pruned', 'depth-pruning', 'healed', 'lora'],
    });
  });

  it('takes names that look like other YAML as names', () => {
    expect(
      front(madeFacts({ languages: ['no', 'on'], licence: { id: 'other', name: 'a: b', link: 'LICENSE' } })),
    ).toMatchObject({
      language: ['no', 'on'],
      license_name: 'a: b',
    });
    // As YAML 1.1 takes them, too.
    expect(cardText(madeFacts({ languages: ['no'] }))).toContain('language:\n  - "no"\n');
  });
});

describe('a number that YAML 1.1 would take for text', () => {
  it('is in no result', () => {
    const huge = JSON.parse(JSON.stringify(reports).replaceAll(`${Math.exp(2.987_34)}`, '1e+30')) as typeof reports;
    expect(cardText(madeFacts({ reports: huge }))).not.toContain('type: perplexity');
    expect(cardText(madeFacts())).toContain('type: perplexity');
  });
});

describe('files beside a card', () => {
  it('are results of registered benchmarks, and of no others', () => {
    const registered = [{ task: 'arc_easy', taskId: 'easy' }];
    const [, result, ...more] = cardFiles(madeFacts({ registered }), null);
    expect(more).toEqual([]);
    expect({ ...result, text: parse(result!.text) }).toEqual({
      name: '.eval_results/arc_easy.yaml',
      text: [
        {
          dataset: { id: 'allenai/ai2_arc', task_id: 'easy' },
          value: 0.512_741,
          notes: 'acc_norm, 3-shot, lm-evaluation-harness version 1, 211 of 2376 items',
        },
      ],
    });
    expect(cardFiles(madeFacts(), null).map(({ name }) => name)).toEqual(['README.md']);
  });

  it('are refused for a task without a score', () => {
    const registered = [{ task: 'piqa', taskId: 'piqa' }];
    expect(() => cardFiles(madeFacts({ registered }), null)).toThrow('No report has a score of this model on piqa');
  });
});

describe('a licence', () => {
  const nowhere: LicenceSources = { asked: null, original: null, texts: [], base: null };
  it.each<{ what: string; sources: Partial<LicenceSources>; id: string | null }>([
    { what: 'the original says', sources: { original: { id: 'cc-by-4.0' } }, id: 'cc-by-4.0' },
    { what: 'the text is', sources: { texts: ['  Apache License\n  Version 2.0, January 2004'] }, id: 'apache-2.0' },
    { what: 'the text is (MIT)', sources: { texts: ['MIT License\n\nCopyright'] }, id: 'mit' },
    {
      what: 'the text is (Llama 3.2)',
      sources: { texts: ['LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n'] },
      id: 'llama3.2',
    },
    { what: 'the name says', sources: { base: 'meta-llama/Meta-Llama-3-8B' }, id: 'llama3' },
    { what: 'the name says (3.1)', sources: { base: 'meta-llama/Llama-3.1-8B' }, id: 'llama3.1' },
    { what: 'the person says', sources: { asked: 'openrail' }, id: 'openrail' },
    { what: 'nobody knows', sources: {}, id: null },
  ])('is what $what', ({ sources, id }) => {
    expect(licenceOf({ ...nowhere, ...sources }).id).toBe(id);
  });

  it('that binds what is made of it cannot be exchanged', () => {
    expect(() => licenceOf({ ...nowhere, asked: 'mit', base: 'meta-llama/Llama-3.2-1B' })).toThrow(
      'The original is under the licence llama3.2, which what is made of it keeps; leave out --license mit.',
    );
  });

  it.each([
    {
      id: 'llama3.2',
      name: 'me/tiny-pruned',
      says: /has to begin with Llama; call it --repo OWNER\/Llama-tiny-pruned/,
    },
    { id: 'llama3', name: 'me/Llama-tiny', says: /has to begin with Llama-3;/ },
    { id: 'llama4', name: 'llama-small', says: /^llama-small is made of a model under the licence llama4/ },
  ])('of $id refuses the name $name', ({ id, name, says }) => {
    expect(() => refuseAgainstLicence({ id }, name, true)).toThrow(says);
  });

  it.each([
    { id: 'llama3.2', name: 'me/Llama-3.2-1B-pruned' },
    { id: 'llama3', name: 'me/Llama-3-8B-pruned' },
    { id: 'llama2', name: 'me/tiny' },
    { id: 'apache-2.0', name: 'me/tiny' },
  ])('of $id takes the name $name, and needs its text where it binds', ({ id, name }) => {
    refuseAgainstLicence({ id }, name, true);
    if (licences[id]?.copyNeeded)
      expect(() => refuseAgainstLicence({ id }, name, false)).toThrow(/asks for a copy of itself/);
    else refuseAgainstLicence({ id }, name, false);
  });

  it('of Llama is shown, and put in a NOTICE beside what stands there', () => {
    const llama = madeFacts({ name: 'me/Llama-thing', licence: { id: 'llama3.2' } });
    const [card, notice] = cardFiles(llama, 'Of somebody.\n');
    expect(card!.text).toMatch(/^\*\*Built with Llama\*\*$/m);
    expect(notice).toEqual({
      name: 'NOTICE',
      text: 'Of somebody.\nLlama 3.2 is licensed under the Llama 3.2 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.\n',
    });
    expect(cardFiles(llama, notice!.text).map(({ name }) => name)).toEqual(['README.md']);
  });
});

describe('what a person wrote', () => {
  it.each(['One line.', 'Several\n\n## Own title\n\n```\ncode\n```', 'with `end of yours` in it'])(
    'stays when the card is made again: %j',
    (prose) => {
      const card = cardText(madeFacts({ prose }));
      expect(ownProseIn(card)).toBe(prose);
      expect(ownProseIn(card.replaceAll('\n', '\r\n'))).toBe(prose);
      expect(cardText(madeFacts({ prose: ownProseIn(card) }))).toBe(card);
    },
  );

  it('is nothing where only the place for it is there', () => {
    expect(ownProseIn(cardText(madeFacts()))).toBeNull();
    expect(ownProseIn('# Another card')).toBeNull();
  });

  it('cannot end its own place', () => {
    const card = cardText(madeFacts({ prose: 'a <!-- end of yours --> b' }));
    expect(ownProseIn(card)).toBe('a  b');
  });
});

describe('what is drawn', () => {
  it.each([
    { nBlocks: 6, blocks: [2], attention: [4], mlp: [0], first: '▀█░█▄█' },
    { nBlocks: 70, blocks: [69], attention: [], mlp: [], first: '█'.repeat(64) },
  ])('of $nBlocks blocks begins with $first', ({ first, ...cut }) => {
    expect(blockStrip({ original: 'o', ...cut })!.split('\n')[0]).toBe(first);
  });

  it('is nothing where nothing is known', () => {
    expect(blockStrip({ original: 'o', nBlocks: null, blocks: [1], attention: [], mlp: [] })).toBeNull();
    expect(lossCurve([1])).toBe('');
  });

  it('as a curve falls with the loss', () => {
    const rows = lossCurve([4, 3, 2, 1]).split('\n');
    expect(rows[0]).toBe('█');
    expect(rows.at(-1)).toBe('███▁');
    expect(lossCurve([2, 2, 2]).trim()).toBe('▁▁▁');
  });
});

describe('the card of an original', () => {
  it.each([
    { readme: '---\nlicense: apache-2.0\nlanguage:\n- en\n- de\n---\n# x', id: 'apache-2.0', languages: ['en', 'de'] },
    { readme: '---\r\nlicense: other\r\nlicense_name: own\r\nlanguage: en\r\n---\r\n', id: 'other', languages: ['en'] },
    { readme: '# no front matter', id: undefined, languages: [] },
    { readme: '---\nlicense: [\n---\n', id: undefined, languages: [] },
    { readme: '---\n- a\n---\n', id: undefined, languages: [] },
  ])('says $id', ({ readme, id, languages }) => {
    const origin = originOf(readme);
    expect(origin.licence?.id).toBe(id);
    expect(origin.languages).toEqual(languages);
  });
});

it('a card of a study shows the original, its own variant and their cost, and all others in one list', () => {
  const card = cardText(variants[3]!.facts);
  const head = /^\| task .*$/m.exec(card)![0];
  expect(head).toMatch(/\| this model \| difference \|$/);
  expect(head.match(/difference/g)).toHaveLength(1);
  expect(card.match(/^\| greedy 4/gm)).toHaveLength(2);
});

it('a card says what is missing', () => {
  expect(cardWarnings(madeFacts({ prose: 'x' }))).toEqual([]);
  expect(cardWarnings(madeFacts({ base: null, licence: { id: null }, reports: [] }))).toHaveLength(4);
});

it('a card says where llama.cpp would compute something else', () => {
  const card = cardText(madeFacts({ notInLlamaCpp: 'llama.cpp takes every fourth block.' }));
  expect(card).toContain('Not with llama.cpp. llama.cpp takes every fourth block.');
  expect(card).not.toContain('convert_hf_to_gguf');
});

it('what others wrote stays text', () => {
  const cut = { ...madeFacts().cut, original: '<script>alert(1)</script>|`x`' };
  expect(cardText(madeFacts({ cut, base: null }))).not.toContain('<script>');
});
