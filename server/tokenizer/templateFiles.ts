// Where a model folder keeps its chat templates, and which files go first, as in transformers 5.24.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { isUserError, UserError } from '../errors';
import { readTextInside } from '../files/contained';
import { nullIfMissing, systemCode } from '../shared/systemErrors';

/**
 * What `chatTemplateOf` takes. chat_template.jinja is the default one and additional_chat_templates/ has others by name;
 * without them, what tokenizer_config.json says; without that, the chat_template.json of processors.
 * @throws UserError damagedCheckpoint for a file that cannot be read
 */
export async function readTemplates(folder: string, inConfig: unknown): Promise<unknown> {
  const first = await readText(folder, 'chat_template.jinja');
  const others = await readdir(join(folder, additional)).catch(() => []);
  const named: { name: string; template: string }[] = first === null ? [] : [{ name: 'default', template: first }];
  for (const file of others.filter((name) => name.endsWith('.jinja')).sort()) {
    const template = await readText(folder, join(additional, file));
    if (template !== null) named.push({ name: basename(file, '.jinja'), template });
  }
  if (named.length > 0) return named;
  if (inConfig !== undefined && inConfig !== null) return inConfig;
  const legacy = await readText(folder, 'chat_template.json');
  if (legacy === null) return null;
  const { data } = z.object({ chat_template: z.unknown() }).safeParse(parsed(legacy));
  return data?.chat_template ?? null;
}

const additional = 'additional_chat_templates';

/** null: the file is not there. */
const readText = (folder: string, name: string): Promise<string | null> =>
  readTextInside(folder, name).catch((error: NodeJS.ErrnoException) => {
    if (isUserError(error) || systemCode(error)) return nullIfMissing(error);
    const reason = `it cannot be read (${error.code})`;
    throw new UserError('damagedCheckpoint', `${name} in ${basename(folder)} is not usable: ${reason}; get it again.`);
  });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
