// Where Hugging Face's own tools keep what they have fetched, and the token. Their precedence: huggingface_hub 2.x, constants.py,
// and datasets, config.py. An empty variable counts as one that is not set.
import type { RepositoryKind } from '../protocol/repositoryNames';

type Environment = Readonly<Record<string, string | undefined>>;

export interface HubPlaces {
  /** `models--owner--name` and `datasets--owner--name` with their snapshots. */
  readonly hub: string;
  /** What the datasets library has made of data sets: Arrow files. */
  readonly datasets: string;
  /** Holds the token that `hf auth login` has saved. */
  readonly tokenFile: string;
}

/** @param home the user's own folder */
export function hubPlaces(environment: Environment, home: string): HubPlaces {
  const place = (name: string) => {
    const value = environment[name];
    return value ? expanded(value, environment, home) : null;
  };
  const huggingFace = place('HF_HOME') ?? `${place('XDG_CACHE_HOME') ?? `${home}/.cache`}/huggingface`;
  return {
    hub: place('HF_HUB_CACHE') ?? place('HUGGINGFACE_HUB_CACHE') ?? `${huggingFace}/hub`,
    datasets: place('HF_DATASETS_CACHE') ?? `${huggingFace}/datasets`,
    tokenFile: place('HF_TOKEN_PATH') ?? `${huggingFace}/token`,
  };
}

/** As Python's expandvars and expanduser: `~/x`, `$NAME` and `${NAME}`; what is not set stays as it stands. */
const expanded = (path: string, environment: Environment, home: string): string =>
  path.replace(/^~(?=\/|$)/, home).replace(/\$(\w+|\{\w+\})/g, (found, name: string) => {
    return environment[name.replace(/[{}]/g, '')] ?? found;
  });

/** `datasets--owner--name`, as the hub's cache calls the folder of a repository. */
export const cacheFolderOf = (kind: RepositoryKind, repository: string): string =>
  `${kind}--${repository.split('/').join('--')}`;
