// The forms in which a task's documents lie on disk: rows with named columns, rows without, and any other text.
import { basename } from 'node:path';
import * as z from 'zod';
import { parseCsv } from '../../data/csv';
import { openRows } from '../../data/rows';
import { decodeUtf8, type FileReport, readBytes } from '../../data/textSource';
import { UserError } from '../../errors';
import { foldersOf, namesOfSplit } from '../../shared/dataSetFiles';
import type { Form, Question } from './task';
import type { HubCoordinates, Split } from '../../shared/tasks';

/** Rows with named columns: JSON lines, JSON, CSV or Parquet, by the ending. */
export function rowsForm<Shape extends z.ZodRawShape>(
  places: readonly string[],
  columns: Shape,
  question: (row: z.infer<z.ZodObject<Shape>>) => Question,
): Form {
  const schema = z.object(columns);
  const names = Object.keys(columns);
  const expects = `columns ${names.join(', ')}`;
  return {
    places,
    expects,
    beside: null,
    async read(file) {
      const rows = await openRows(file);
      if (!rows || names.some((name) => !rows.columns.includes(name))) return null;
      const questions = (await rows.read(names)).map(({ where, values }) => {
        const row = schema.safeParse(values);
        if (!row.success) throw badRow(where, row.error.issues[0]?.path.join('.') ?? '', expects);
        return checked(question(row.data), where);
      });
      return { questions, files: [rows.report] };
    },
  };
}

/** Any other text, with the second file's text where the form has one. `questions` gives null for a text of another form. */
export function textForm(
  places: readonly string[],
  expects: string,
  questions: (text: string, name: string, beside: string) => Question[] | null,
  beside: string | null = null,
): Form {
  return {
    places,
    expects,
    beside,
    async read(file, besideFile) {
      const first = await readText(file);
      const second = besideFile ? await readText(besideFile) : null;
      const found = questions(first.text, first.report.name, second?.text ?? '');
      if (!found) return null;
      for (const [i, question] of found.entries()) checked(question, `Document ${i} of ${first.report.name}`);
      return { questions: found, files: second ? [first.report, second.report] : [first.report] };
    },
  };
}

/** CSV whose first row is a document already. `question` gives null for a row of another form. */
export const headlessCsvForm = (
  places: readonly string[],
  expects: string,
  question: (cells: readonly string[]) => Question | null,
): Form =>
  textForm(places, expects, (text, name) => {
    const questions = parseCsv(text, name).map(question);
    return questions.every((it) => it !== null) ? questions : null;
  });

/**
 * Where files from the hub lie: in a folder that has the task's name, or the data set's and the configuration's; last, in a
 * folder of any name that holds this set alone.
 */
export function hubPlaces(task: string, hub: HubCoordinates, split: Split): string[] {
  const name = basename(hub.dataset);
  const inside = foldersOf(hub);
  const folders = [
    ...(hub.config ? [`${task}/`] : [`${task}/`, `${task}/data/`]),
    ...inside.map((folder) => `${name}/${folder}`),
    ...inside.map((folder) => `./${folder}`),
  ];
  return [...new Set(folders)].flatMap((folder) => namesOfSplit(split).map((file) => `${folder}${file}`));
}

/** Fields of a document. Parquet has big integers, some files have numbers as text. */
export const text = z.string();
export const texts = z.array(z.string());
export const wholeNumber = z.union([
  z.int(),
  z.bigint().transform(Number),
  z.string().regex(/^\d+$/).transform(Number),
]);

/** Choices with their labels, as ARC and OpenBookQA have them on the hub. */
export const labelledChoices = z.object({ text: texts, label: texts });
/** And as the Allen institute published them. */
export const stemAndChoices = z.object({ stem: text, choices: z.array(z.object({ text, label: text })) });

function checked(question: Question, where: string): Question {
  if (!('gold' in question)) return question;
  const n = question.kind === 'choices' ? question.choices.length : question.contexts.length;
  if (Number.isInteger(question.gold) && question.gold >= 0 && question.gold < n) return question;
  throw new UserError('badData', `${where} has an answer that is none of its ${n} choices; repair or remove it.`);
}

async function readText(file: string): Promise<{ text: string; report: FileReport }> {
  const { bytes, report } = await readBytes(file);
  return { text: decodeUtf8(bytes, report.name), report };
}

const badRow = (where: string, path: string, expects: string) =>
  new UserError('badData', `${where} has no usable ${path}; the file needs ${expects}.`);
