// Licences that models come with: how each is known, and what it asks of whoever publishes something made of such a model. A row
// a licence; the identifiers are the hub's. Pure.
import { UserError } from '../../errors';

interface LicenceRule {
  /** How its text begins; absent: it is known by its identifier alone. */
  readonly text?: RegExp;
  /** Repositories that are under it. */
  readonly bases?: RegExp;
  /** What the name of a repository has to begin with. */
  readonly name?: { readonly begins: RegExp; readonly with: string };
  /** What a card has to show. */
  readonly shown?: string;
  /** What a file called NOTICE has to say. */
  readonly notice?: string;
  /** The text of the licence goes along. */
  readonly copyNeeded?: true;
}

const llamaNotice = (name: string, licence = `${name} Community License`) =>
  `${name} is licensed under the ${licence}, Copyright © Meta Platforms, Inc. All Rights Reserved.`;

const llama = (version: string): LicenceRule => ({
  text: new RegExp(`^\\W*LLAMA ${version.replace('.', '\\.')} COMMUNITY LICENSE AGREEMENT`, 'i'),
  bases: new RegExp(`^meta-llama/(Meta-)?Llama-${version.replace('.', '\\.')}-`, 'i'),
  name: { begins: /^Llama/, with: 'Llama' },
  shown: 'Built with Llama',
  notice: llamaNotice(`Llama ${version}`),
  copyNeeded: true,
});

export const licences: Readonly<Record<string, LicenceRule>> = {
  'apache-2.0': { text: /^\s*Apache License\s+Version 2\.0/ },
  mit: { text: /^\s*(The )?MIT License/i },
  llama2: {
    text: /^\W*LLAMA 2 COMMUNITY LICENSE AGREEMENT/i,
    bases: /^meta-llama\/Llama-2-/i,
    notice: llamaNotice('Llama 2', 'LLAMA 2 Community License'),
    copyNeeded: true,
  },
  llama3: {
    text: /^\W*META LLAMA 3 COMMUNITY LICENSE AGREEMENT/i,
    bases: /^meta-llama\/Meta-Llama-3-/i,
    name: { begins: /^Llama[- _]?3/, with: 'Llama-3' },
    shown: 'Built with Meta Llama 3',
    notice: llamaNotice('Meta Llama 3'),
    copyNeeded: true,
  },
  'llama3.1': llama('3.1'),
  'llama3.2': llama('3.2'),
  'llama3.3': llama('3.3'),
  llama4: llama('4'),
  gemma: {
    text: /^\W*Gemma Terms of Use/i,
    bases: /^google\/(code)?gemma-/i,
    notice: 'Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms',
    copyNeeded: true,
  },
};

/** What a card says of the licence. */
export interface Licence {
  /** The hub's identifier; null: nothing says which it is. */
  readonly id: string | null;
  /** Of one that the hub does not know by itself (`other`). */
  readonly name?: string | undefined;
  readonly link?: string | undefined;
}

/** Where a licence may be read. */
export interface LicenceSources {
  /** What the person says. */
  readonly asked: string | null;
  /** Of the original's front matter. */
  readonly original: Licence | null;
  /** Texts of licences in the folder and its original. */
  readonly texts: readonly string[];
  /** The original's name on the hub. */
  readonly base: string | null;
}

/**
 * The licence of something that was made of an original is the original's.
 * @throws UserError `badChoice` where the person says another one than what is written
 */
export function licenceOf({ asked, original, texts, base }: LicenceSources): Licence {
  const rows = Object.entries(licences);
  const byText = rows.find(([, { text }]) => text && texts.some((each) => text.test(each)))?.[0];
  const byBase = base === null ? undefined : rows.find(([, { bases }]) => bases?.test(base))?.[0];
  const written = original?.id ?? byText ?? byBase ?? null;
  const strict = [byText, byBase, original?.id].find((id) => id && licences[id]?.copyNeeded);
  if (asked !== null && strict && asked !== strict)
    throw new UserError(
      'badChoice',
      `The original is under the licence ${strict}, which what is made of it keeps; leave out --license ${asked}.`,
    );
  if (asked !== null) return { id: asked };
  return original?.id ? original : { id: written };
}

/** @throws UserError `badChoice` for a name that the licence does not allow, naming it, or a licence without its text. */
export function refuseAgainstLicence({ id }: Licence, name: string, hasCopy: boolean): void {
  const rule = id === null ? undefined : licences[id];
  const plain = name.split('/').at(-1)!;
  if (rule?.name && !rule.name.begins.test(plain))
    throw new UserError(
      'badChoice',
      `${name} is made of a model under the licence ${id}, whose name has to begin with ${rule.name.with}; call it --repo OWNER/${rule.name.with}-${plain}.`,
    );
  if (rule?.copyNeeded && !hasCopy)
    throw new UserError(
      'badChoice',
      `The licence ${id} asks for a copy of itself, and neither the folder nor its original has one; put its text into the folder as LICENSE.txt.`,
    );
}
