// A model card: front matter for the hub, and a body for people, from facts alone. Pure.
import { marked } from '../../reporting/reportMarkdown';
import { evalResultFiles } from './evalResults';
import type { CardFacts } from './facts';
import { frontMatter, resultsOf } from './frontMatter';
import { healingSection } from './healingSection';
import { licences } from './licences';
import { benchmarkSection, perplexitySection, sizeSection, studySection } from './measuredSections';
import { ownProse } from './ownProse';
import { chosenSection, removedSection } from './pruningSections';
import { stepsOf } from './steps';
import { limitsSection, loadingSection, madeSection, papersSection, summary } from './useSections';

/** README.md. */
export function cardText(facts: CardFacts): string {
  const rule = facts.licence.id === null ? undefined : licences[facts.licence.id];
  const parts = [
    `# ${marked(facts.name.split('/').at(-1)!)}`,
    rule?.shown === undefined ? null : `**${rule.shown}**`,
    summary(facts, stepsOf(facts, 'merge').length > 0),
    ownProse(facts.prose),
    removedSection(facts),
    chosenSection(facts),
    healingSection(facts),
    benchmarkSection(facts),
    perplexitySection(facts),
    studySection(facts),
    sizeSection(facts),
    limitsSection(facts),
    loadingSection(facts),
    madeSection(facts),
    papersSection(facts),
    rule?.notice ?? null,
    'Made with Espalier. Every number of this card stands in a report of a run or in the folder itself.',
  ];
  return `${frontMatter(facts)}\n${parts.filter((part) => part !== null).join('\n\n')}\n`;
}

export interface CardFile {
  /** As it is called where it is published. */
  name: string;
  text: string;
}

/** README.md, and the small files that licence and leaderboards ask for. */
export function cardFiles(facts: CardFacts, noticeThere: string | null): CardFile[] {
  const notice = facts.licence.id === null ? undefined : licences[facts.licence.id]?.notice;
  const isSaid = notice !== undefined && noticeThere?.includes(notice);
  return [
    { name: 'README.md', text: cardText(facts) },
    ...(notice !== undefined && !isSaid
      ? [{ name: 'NOTICE', text: [...(noticeThere === null ? [] : [noticeThere.trimEnd()]), notice, ''].join('\n') }]
      : []),
    ...evalResultFiles(facts),
  ];
}

/** What a person should know before it is published, in sentences. */
export const cardWarnings = (facts: CardFacts): string[] => [
  ...(facts.base === null
    ? ['The original has no name on the hub, so that the card names no base_model; say it with --base OWNER/NAME.']
    : []),
  ...(facts.licence.id === null
    ? ["Nothing says which licence the original has; say it with --license ID, as on the original's page."]
    : []),
  ...(resultsOf(facts).length === 0
    ? [
        'No report measured this model, so that the card has no results; give one of evaluate or perplexity with --report FILE.',
      ]
    : []),
  ...(facts.prose === null
    ? ['You have written nothing about what the model is for; there is a place for it in the card.']
    : []),
];
