// Text from models and files, made harmless where it is shown.

/** As text or an attribute's value in XML and HTML. */
export const escaped = (text: string): string =>
  printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

/** Without what XML cannot carry: control characters and halves of pairs. Lines become spaces. */
export const printable = (text: string): string =>
  text.replaceAll(/[\s\p{Cc}\u2028\u2029]+/gu, ' ').replaceAll(/[\p{Cs}\uFFFE\uFFFF]/gu, '\uFFFD');
