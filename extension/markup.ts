// What the editor reads in plain texts beside letters: icons in lists, links in messages. Pure.

/** `$(name)` is an icon in lists, and `\$(name)` its letters. */
export const withoutIcons = (text: string): string => text.replace(/\$\(/g, '\\$(');

/** `[text](address)` is a link in messages, also one that carries out a command. */
export const withoutLinks = (text: string): string => text.replaceAll('](', '] (');
