// What the fake hub answers, before it is sent.
import { createHash } from 'node:crypto';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A request, as far as it decides what is answered. */
export interface FakeRequest {
  readonly method: string;
  readonly url: URL;
  readonly token: string | null;
  readonly body: Buffer;
  /** Addresses of the two servers. */
  readonly front: string;
  readonly store: string;
}

export const json = (value: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(JSON.stringify(value)),
});

export const refused = (status: number, code: string, message = '', more: object = {}): Answer => ({
  status,
  headers: { 'x-error-code': code, 'x-error-message': message, 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ error: message || code, ...more })),
});

export const notFound = (token: string | null): Answer =>
  refused(token === null ? 401 : 404, 'RepoNotFound', 'Repository not found');

export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
export const gitHash = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
