// What the environment says of the hub: where it is, where its cache is, whether it may be asked, and by which token. The names are
// those of huggingface_hub, so that what is set for Python's tools holds here, too.
import { readFile } from 'node:fs/promises';
import { UserError } from '../errors';
import { homeFolder } from '../files/homeFolder';
import { hubPlaces } from '../shared/hubCache';
import { nullIfMissing } from '../shared/systemErrors';

export interface HubSettings {
  readonly endpoint: URL;
  readonly cache: string;
  readonly isOffline: boolean;
  /** null: nobody is logged in. */
  readonly token: HubToken | null;
}

/** It goes into the header of requests to the endpoint, and nowhere else. */
export interface HubToken {
  readonly value: string;
  /** Where it was found, for sentences. */
  readonly from: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param given a token that the editor keeps for its user: whoever stored one there means that one
 * @throws UserError `usage` for an endpoint or a token that cannot be one; `cannotRead`
 */
export async function readHubSettings(
  environment: Environment = process.env,
  home: string = homeFolder(),
  given: string | null = null,
): Promise<HubSettings> {
  const { hub, tokenFile } = hubPlaces(environment, home);
  return {
    endpoint: endpointOf(environment.HF_ENDPOINT),
    cache: hub,
    isOffline: isTrue(environment.HF_HUB_OFFLINE || environment.TRANSFORMERS_OFFLINE),
    token: given === null ? await tokenOf(environment, tokenFile) : { value: checked(given, storage), from: storage },
  };
}

const storage = "the editor's secret storage";

/** As huggingface_hub reads its switches. */
const isTrue = (value: string | undefined): boolean => ['1', 'ON', 'YES', 'TRUE'].includes(value?.toUpperCase() ?? '');

function endpointOf(given: string | undefined): URL {
  const text = given?.trim() || 'https://huggingface.co';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UserError('usage', 'HF_ENDPOINT is no address; set it to one such as https://huggingface.co.');
  // It would stand in sentences and reports.
  if (url.username || url.password)
    throw new UserError('usage', 'HF_ENDPOINT holds a name or a password; take it out, and set HF_TOKEN instead.');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.search = url.hash = '';
  return url;
}

/** For sentences and links: without the slash at its end. */
export const inWords = ({ href }: URL): string => href.replace(/\/$/, '');

async function tokenOf(environment: Environment, file: string): Promise<HubToken | null> {
  const name = environment.HF_TOKEN ? 'HF_TOKEN' : 'HUGGING_FACE_HUB_TOKEN';
  const given = cleaned(environment[name]);
  if (given) return { value: checked(given, name), from: name };
  // It lies where the user's own settings say, wherever the folders are that a client has opened.
  const saved = cleaned(await readFile(file, 'utf8').catch(nullIfMissing));
  return saved ? { value: checked(saved, file), from: file } : null;
}

const cleaned = (text: string | null | undefined): string => text?.replace(/[\r\n]/g, '').trim() ?? '';

/** What cannot stand in a header would be quoted by the error of whoever tries. */
function checked(token: string, from: string): string {
  if (/^[\x21-\x7e]{1,1000}$/.test(token)) return token;
  throw new UserError('usage', `${from} holds no token of the hub; save one with \`hf auth login\`, or remove it.`);
}
