// Questions to items: what comes before a question, and the requests that score its answers. Examples are chosen as
// lm-evaluation-harness chooses them, by the same draws. Pure.
import { UserError } from '../errors';
import { pythonRandom } from './pythonRandom';
import { length } from './tasks/pythonText';
import type { Item, Question, Task, TextRequest } from './tasks/task';
import type { FewShotRule } from '../shared/tasks';

/** What examples are drawn from. */
export interface ExamplePool {
  readonly questions: readonly Question[];
  readonly count: number;
}

/**
 * The items of [first, end). One generator draws for all of them, one item after another, so an item's examples depend
 * on how many items of the range come before it, as they do in the harness when it is given the same documents.
 * @throws UserError badChoice when there are too few examples
 */
export function itemsOf(
  task: Task,
  questions: readonly Question[],
  first: number,
  end: number,
  pool: ExamplePool,
): Item[] {
  const examples = chooser(task, pool);
  // The same text for all, where the examples are the same.
  const prefixes = new Map<readonly Question[], string>();
  return questions.slice(first, end).map((question, i) => {
    const chosen = examples(question);
    const prefix = prefixes.get(chosen) ?? task.description + chosen.map(answered).join('');
    if (task.fewShot.kind !== 'drawn') prefixes.set(chosen, prefix);
    return itemOf(first + i, question, prefix);
  });
}

type Chooser = (question: Question) => readonly Question[];

const seed = 1234;

function chooser(task: Task, { questions, count }: ExamplePool): Chooser {
  const none: Question[] = [];
  if (count === 0 || task.fewShot.kind === 'none') return () => none;
  const needed = count + (task.fewShot.kind === 'drawn' && task.fewShot.oneMore ? 1 : 0);
  if (needed > questions.length) throw tooFewExamples(task, task.fewShot, needed, questions.length);
  if (task.fewShot.kind === 'first') {
    const first = questions.slice(0, count);
    return () => first;
  }
  const random = pythonRandom(seed);
  if (!task.fewShot.oneMore) return () => random.sample(questions, count);
  return (question) => {
    const same = JSON.stringify(question);
    const isOther = (other: Question) => JSON.stringify(other) !== same;
    const others = random.sample(questions, needed).filter(isOther).slice(0, count);
    if (others.length === count) return others;
    // The question is there more than once.
    const allOthers = questions.filter(isOther);
    if (count > allOthers.length) throw tooFewExamples(task, task.fewShot, needed, allOthers.length);
    return random.sample(allOthers, count);
  };
}

/** An example with its answer. A target brings a space of its own, so that two stand there, as in the harness. */
function answered(question: Question): string {
  switch (question.kind) {
    case 'choices':
      return `${question.context} ${question.choices[question.gold]}\n\n`;
    case 'contexts':
      return `${question.contexts[question.gold]} ${question.continuation}\n\n`;
    case 'target':
      return `${question.context} ${question.target}\n\n`;
    case 'page':
      return '';
  }
}

function itemOf(docId: number, question: Question, prefix: string): Item {
  const plain = { docId, gold: null, choices: [], text: null };
  switch (question.kind) {
    case 'choices': {
      const { choices, gold } = question;
      const context = prefix + question.context;
      const requests = choices.map((choice) => continuation(context, ` ${choice}`));
      return { ...plain, requests, gold, choices: choices.map(measured) };
    }
    case 'contexts': {
      const { contexts, gold } = question;
      const requests = contexts.map((context) => continuation(prefix + context, ` ${question.continuation}`));
      return { ...plain, requests, gold, choices: contexts.map(measured) };
    }
    case 'target':
      return { ...plain, requests: [continuation(prefix + question.context, question.target)] };
    case 'page': {
      const { text, nWords, nBytes } = question;
      return { ...plain, requests: [{ kind: 'rolling', text }], text: { nWords, nBytes } };
    }
  }
}

const continuation = (context: string, text: string): TextRequest => ({
  kind: 'continuation',
  context,
  continuation: text,
});

const measured = (choice: string) => ({ nCharacters: length(choice), nBytes: Buffer.byteLength(choice) });

const tooFewExamples = (task: Task, { kind, ...rule }: FewShotRule, needed: number, found: number) =>
  new UserError(
    'badChoice',
    `${task.name} has ${found} examples${'split' in rule ? ` in its split ${rule.split}` : ''} and ${needed} are ` +
      `${kind === 'drawn' ? 'drawn from' : 'taken'}; ask for fewer.`,
  );
