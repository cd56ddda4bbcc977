// Where Hugging Face's own tools keep what they have fetched. Their precedence: huggingface_hub 1.x, constants.py, and datasets,
// config.py. An empty variable counts as one that is not set.

type Environment = Readonly<Record<string, string | undefined>>;

export interface HubCaches {
  /** `models--owner--name` and `datasets--owner--name` with their snapshots. */
  readonly hub: string;
  /** What the datasets library has made of data sets: Arrow files. */
  readonly datasets: string;
}

/** @param home the user's own folder */
export function hubCaches(environment: Environment, home: string): HubCaches {
  const folder = (name: string) => {
    const value = environment[name];
    return value ? expanded(value, environment, home) : null;
  };
  const huggingFace = folder('HF_HOME') ?? `${folder('XDG_CACHE_HOME') ?? `${home}/.cache`}/huggingface`;
  return {
    hub: folder('HF_HUB_CACHE') ?? folder('HUGGINGFACE_HUB_CACHE') ?? `${huggingFace}/hub`,
    datasets: folder('HF_DATASETS_CACHE') ?? `${huggingFace}/datasets`,
  };
}

/** As Python's expandvars and expanduser: `~/x`, `$NAME` and `${NAME}`; what is not set stays as it stands. */
const expanded = (path: string, environment: Environment, home: string): string =>
  path.replace(/^~(?=\/|$)/, home).replace(/\$(\w+|\{\w+\})/g, (found, name: string) => {
    return environment[name.replace(/[{}]/g, '')] ?? found;
  });

/** `datasets--owner--name`, as the hub's cache calls the folder of a repository. */
export const cacheFolderOf = (kind: 'models' | 'datasets', repository: string): string =>
  `${kind}--${repository.split('/').join('--')}`;
