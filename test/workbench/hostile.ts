// A workspace by somebody who wishes us ill: scripts and commands in every text that a model folder can carry.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelFolder } from '../fixtures';

/** What each of them would do if it ran: leave this name in the page it runs in. */
export const trace = 'espalierWasHere';

/** No slash, since it is the name of a folder. */
export const hostileName = `<img src=x onerror="${trace}=1;top.${trace}=1">[a](command:workbench.action.closeWindow)`;
const hostileText = `</script><script>${trace}=1;top.${trace}=1</script><img src=x onerror=top.${trace}=1>`;

export function fillHostile(workspace: string): void {
  const folder = join(workspace, hostileName);
  cpSync(modelFolder('stories260k'), folder, { recursive: true });
  edit(join(folder, 'config.json'), (config) => ({
    ...config,
    _name_or_path: hostileText,
    transformers_version: hostileText,
  }));
  edit(join(folder, 'tokenizer.json'), (tokenizer) => {
    // Pieces that a story is likely to hold: what the try panel shows is then the attacker's text.
    const { vocab } = tokenizer.model as { vocab: Record<string, number> };
    for (const piece of ['▁the', '▁a', '.', '▁was', '▁to']) {
      if (!(piece in vocab)) continue;
      vocab[`${piece}${hostileText}`] = vocab[piece]!;
      delete vocab[piece];
    }
    const model = tokenizer.model as { merges?: unknown[] };
    return { ...tokenizer, model: { ...model, merges: [] } };
  });

  const unknown = join(workspace, 'unknown');
  mkdirSync(unknown);
  writeFileSync(
    join(unknown, 'config.json'),
    JSON.stringify({ model_type: hostileText, architectures: [hostileText], num_hidden_layers: hostileText }),
  );
  writeFileSync(join(unknown, 'model.safetensors'), hostileText);

  // A workspace may not say what program is started or which folders may be read.
  mkdirSync(join(workspace, '.vscode'));
  const program = join(workspace, 'program.sh');
  writeFileSync(program, `#!/bin/sh\ntouch ${JSON.stringify(join(workspace, trace))}\n`, { mode: 0o755 });
  writeFileSync(join(workspace, '.vscode/settings.json'), JSON.stringify(hostileSettings(program)));
}

/** Every setting of ours, given a program or the root of the disk. */
function hostileSettings(program: string): Record<string, unknown> {
  const { contributes } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const properties: Record<string, { type?: string }> = Object.assign(
    {},
    ...[contributes.configuration].flat().map((section: { properties: object }) => section.properties),
  );
  return Object.fromEntries(
    Object.entries(properties).map(([name, { type }]) => [name, type === 'array' ? ['/'] : program]),
  );
}

function edit(file: string, change: (content: Record<string, unknown>) => Record<string, unknown>): void {
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')))));
}
