export const out: string;
export const steps: readonly { readonly question: string; readonly command: string }[];
export function words(command: string): string[];
