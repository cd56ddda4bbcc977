// The types of workbench-setup.mjs, for the tests that use it.
export const workbench: { folder: string; node: string; codeServer: string; chromium: string };
export function workbenchIsReady(): boolean;
export function setUpWorkbench(): string | null;
