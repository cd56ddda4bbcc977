// pull: a model from the hub into Hugging Face's cache, as the environment says where both are.
import { readHubSettings, inWords } from '../../hub/hubSettings';
import { pullModel } from '../../hub/pullModel';
import { progress, type Run, versions } from '../recipeContext';
import type { PullRecipe, PullReport } from './recipe';

export async function runPull({ repository, revision }: PullRecipe, run: Run): Promise<PullReport> {
  const began = performance.now();
  const settings = await readHubSettings();
  const fetching = progress(run, 'download');
  let shown = -1;
  const { commit, folder, files, fetchedBytes } = await pullModel(
    settings,
    { repository, revision },
    {
      signal: run.signal,
      onPlan: (download) => run.emit({ kind: 'download', download }),
      onProgress(fraction) {
        // Bytes come in thousands of pieces a second.
        const step = Math.floor(1000 * fraction);
        if (step !== shown) fetching(fraction);
        shown = step;
      },
      onWarning: (text) => run.emit({ kind: 'warning', text }),
    },
  );
  const { espalier, node } = versions();
  return {
    kind: 'pull',
    repository,
    revision,
    commit,
    endpoint: inWords(settings.endpoint),
    out: folder,
    files: files.map(({ path, sizeBytes }) => ({ name: path, sizeBytes })),
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    fetchedBytes,
    elapsedMs: performance.now() - began,
    versions: { espalier, node },
  };
}
