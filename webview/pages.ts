// The pages by name. Each page.ts registers itself here; the build puts the page.ts of every folder into the one script, so
// a new page is its folder.
import type { PageProtocol } from '../server/protocol/pages/page';
import type { Host } from './host';

/** Shows the page below `root` from its initial state, and keeps it up to date by what the host says. */
export type Mount<P extends PageProtocol> = (root: HTMLElement, host: Host<P>, initial: P['state']) => void;

const mounts = new Map<string, Mount<never>>();

/** @param name as in data-page of the document, and in the page's file of protocol/pages/ */
export function registerPage<P extends PageProtocol>(name: P['name'], mount: Mount<P>): void {
  mounts.set(name, mount);
}

/** Throws where no page has this name. */
export function mountPage(root: HTMLElement, host: Host<PageProtocol>, name: string, state: unknown): void {
  const mount = mounts.get(name);
  if (!mount) throw new Error(`There is no page ${name}: the name in its page.ts is another one.`);
  mount(root, host as Host<never>, state as never);
}
