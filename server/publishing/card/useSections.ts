// How to load what is published, what to expect of it, how it was made, and where its methods come from.
import { isEmpty } from '../../shared/dropSets';
import { duration, memory } from '../../shared/numbers';
import { importanceMethods, isImportanceMethod } from '../../shared/methods';
import { marked } from '../../reporting/reportMarkdown';
import { type CardFacts, evaluationsOf, reportsOf } from './facts';
import { factList, fenced, hubLink, section, withArxivLinks } from './markdown';
import { stepsOf } from './steps';

export function loadingSection({ of, name, base, notInLlamaCpp }: CardFacts): string {
  const model = of === 'adapter' ? (base ?? 'BASE') : name;
  const short = name.split('/').at(-1)!;
  const python = [
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    ...(of === 'adapter' ? ['from peft import PeftModel'] : []),
    '',
    `tokenizer = AutoTokenizer.from_pretrained("${model}")`,
    `model = AutoModelForCausalLM.from_pretrained("${model}")`,
    ...(of === 'adapter' ? [`model = PeftModel.from_pretrained(model, "${name}")`] : []),
    'inputs = tokenizer("Once upon a time", return_tensors="pt")',
    'print(tokenizer.decode(model.generate(**inputs)[0]))',
  ].join('\n');
  const vllm =
    of === 'adapter' ? `vllm serve ${model} --enable-lora --lora-modules ${short}=${name}` : `vllm serve ${name}`;
  const llamaCpp =
    of === 'adapter'
      ? [`hf download ${name} --local-dir ${short}`, `python convert_lora_to_gguf.py ${short} --outfile ${short}.gguf`]
      : [
          `hf download ${name} --local-dir ${short}`,
          `python convert_hf_to_gguf.py ${short} --outfile ${short}.gguf`,
          `llama-cli -m ${short}.gguf -p "Once upon a time"`,
        ];
  return section(
    'How to load it',
    `With transformers${of === 'adapter' ? ' and PEFT' : ''}:`,
    fenced('python', python),
    'With vLLM:',
    fenced('sh', vllm),
    ...(notInLlamaCpp === null
      ? ['With llama.cpp, by its own converter:', fenced('sh', llamaCpp.join('\n'))]
      : [`Not with llama.cpp. ${marked(notInLlamaCpp)}`]),
  );
}

export function limitsSection(facts: CardFacts): string {
  const written = evaluationsOf(facts).flatMap(({ generation }) => generation ?? []);
  const alarms = written.filter(({ alarm, model }) => alarm && model > 0);
  return section(
    'Limits',
    [
      'A pruned model is worse than its original. The numbers above say by how much on these texts and tasks, and on no others.',
      'Nothing was done about what the original knows, says or refuses, and nothing of that was measured anew.',
      'Blocks were chosen on one text. Other languages and subjects may have lost more.',
      ...(alarms.length > 0
        ? ['Left to write by itself, a pruned model of the evaluation came to repeat itself.']
        : []),
      ...(facts.reports.length === 0 ? ['Nothing of this model was measured.'] : []),
    ]
      .map((line) => `- ${line}`)
      .join('\n'),
  );
}

export function madeSection(facts: CardFacts): string | null {
  const versions = new Map(facts.reports.map((report) => [JSON.stringify(report.versions), report.versions]));
  const steps = [...stepsOf(facts, 'prune'), ...stepsOf(facts, 'merge'), ...stepsOf(facts, 'sparsify')];
  const ofSteps = steps.flatMap(({ versions: of }) => (of ? [`Espalier ${marked(of.espalier)}`] : []));
  const inWords = [...versions.values()].map(
    ({ espalier, onnxruntime, node }) =>
      `Espalier ${marked(espalier)}, onnxruntime ${marked(onnxruntime)}, Node ${marked(node)}`,
  );
  const list = factList([
    ['software', inWords.length > 0 ? inWords.join('; ') : [...new Set(ofSteps)].join('; ') || null],
    ...facts.reports.map((report): [string, string | null] => {
      const { kind, device, threads, timing, peakMemoryBytes } = report;
      if (device === 'none') return [kind, null];
      return [
        kind,
        `${marked(device)}, ${threads} threads, ${duration(timing.elapsedMs / 1000)}, ${memory(peakMemoryBytes)} at its peak`,
      ];
    }),
  ]);
  return list === '' ? null : section('How it was made', list);
}

/** Of what was done, each with the paper that it comes from. */
export function papersSection(facts: CardFacts): string | null {
  const prunes = stepsOf(facts, 'prune');
  const scored = prunes.flatMap(({ rule }) =>
    rule?.kind === 'method' && isImportanceMethod(rule.method) ? [importanceMethods[rule.method].paper] : [],
  );
  const rules = prunes.flatMap(({ rule }) => (rule?.kind === 'method' ? [rule.method] : rule ? [rule.kind] : []));
  const isHealed = facts.of === 'adapter' || stepsOf(facts, 'merge').length > 0;
  const distilled = reportsOf(facts, 'heal').some(({ objective }) => objective.kind === 'distillation');
  const papers = [
    ...scored,
    ...(rules.includes('greedy') ? ['SLEB, arXiv:2402.09025'] : []),
    ...(rules.includes('removal') ? ['Shortened LLaMA, arXiv:2402.02834'] : []),
    ...(rules.includes('deepest') ? ['The Unreasonable Ineffectiveness of the Deeper Layers, arXiv:2403.17887'] : []),
    ...(prunes.some(({ repair }) => repair) ? ['ReplaceMe, arXiv:2505.02819'] : []),
    ...(isHealed ? ['LoRA, arXiv:2106.09685', 'AdamW, arXiv:1711.05101'] : []),
    ...(distilled ? ['Distilling the Knowledge in a Neural Network, arXiv:1503.02531'] : []),
  ];
  if (papers.length === 0) return null;
  return section('Papers', [...new Set(papers)].map((paper) => `- ${withArxivLinks(marked(paper))}`).join('\n'));
}

/** One sentence on what it is. */
export function summary({ of, base, cut, model }: CardFacts, isHealed: boolean): string {
  const origin = base === null ? marked(cut.original) : hubLink(base);
  if (of === 'adapter')
    return `A LoRA adapter that heals ${origin}, a model that was pruned from ${marked(cut.original)}.`;
  const what = isEmpty(cut) ? `${origin}, changed` : `${origin} with fewer blocks`;
  const left = model && cut.nBlocks !== null && cut.blocks.length > 0 ? ` (${model.nBlocks} of ${cut.nBlocks})` : '';
  return `${what}${left}${isHealed ? ', healed with LoRA' : ''}.`;
}
