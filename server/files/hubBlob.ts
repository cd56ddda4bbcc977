// Files of this user's own cache of the hub, where each is called by the hash of what it says.
import { realpathSync } from 'node:fs';
import { relative } from 'node:path';
import { hubPlaces } from '../shared/hubCache';
import { homeFolder } from './homeFolder';

/** Nothing else that the user has bears such a name, and who names it has seen it on the hub. @param real without links */
export function isHubBlob(real: string): boolean {
  try {
    return form.test(relative(realpathSync(hubPlaces(process.env, homeFolder()).hub), real));
  } catch {
    return false; // there is no cache
  }
}

/** Git's hash of a small file, SHA-256 of a large one. */
const form = /^(?:models|datasets|spaces)--[^/\\]+[/\\]blobs[/\\](?:[0-9a-f]{40}|[0-9a-f]{64})$/;
