// What somebody else's folder may make us do before a person trusts it: nothing.
import { workspace } from 'vscode';
import { UserError } from '../server/errors';

/** Throws UserError in Restricted Mode. */
export function requireTrust(): void {
  if (!workspace.isTrusted)
    throw new UserError('device', 'Espalier computes only in folders that you trust; trust this workspace first.');
}
