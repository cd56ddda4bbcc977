export const studyMarkdown = (_: unknown) => '';
