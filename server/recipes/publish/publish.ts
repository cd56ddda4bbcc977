// publish: folders to the hub, one commit each. All of them are looked at before anything is sent.
import { resolve } from 'node:path';
import { type HubSettings, inWords, readHubSettings } from '../../hub/hubSettings';
import type { PublishCalls } from '../../hub/publishCalls';
import { tellingWaits } from '../../hub/failures';
import { lookAtTarget, publishFiles, type Target, writingAccount } from '../../hub/publishFiles';
import { pageOf } from '../../hub/refusalRow';
import { type Run, versions } from '../recipeContext';
import { type FolderToPublish, withFolder } from './folder';
import type { PlannedUpload, PublishedFolder, PublishRecipe, PublishReport } from './recipe';
import { type Prepared, prepare } from './prepare';
import { targetsIn } from './targets';
import { type UploadProgress, uploadProgress } from './uploadProgress';

export async function runPublish(recipe: PublishRecipe, run: Run): Promise<PublishReport> {
  const began = performance.now();
  const settings = await readHubSettings(process.env, undefined, run.hubToken ?? null);
  const publishing: Publishing = { recipe, settings, run };
  const { planned, sizeBytes, collection } = await plan(publishing);
  const uploading = uploadProgress(sizeBytes, run);
  const published: PublishedFolder[] = [];
  let slug: string | null = null;
  for (const each of recipe.dryRun ? [] : planned) {
    const done = await withFolder(each.upload.folder, each.prepared.card, (found) =>
      publish(publishing, { ...each, collection }, found, uploading),
    );
    published.push(done.folder);
    slug = done.collection;
  }
  const { espalier, node } = versions();
  return {
    kind: 'publish',
    endpoint: inWords(settings.endpoint),
    dryRun: recipe.dryRun,
    published: recipe.dryRun ? planned.map((each) => unpublished(publishing, each)) : published,
    collection: slug,
    sizeBytes,
    sentBytes: uploading.sentBytes(),
    elapsedMs: performance.now() - began,
    versions: { espalier, node },
  };
}

interface Publishing {
  readonly recipe: PublishRecipe;
  readonly settings: HubSettings;
  readonly run: Run;
}

interface Planned {
  readonly prepared: Prepared;
  readonly upload: PlannedUpload;
  /** null: the hub was not asked, since a dry run has no token. */
  readonly target: Target | null;
}

const callsOf = ({ recipe, settings, run }: Publishing, repository: string): PublishCalls => ({
  settings,
  subject: { kind: 'models', repository, revision: recipe.branch, publishing: 'hub' },
  patience: {
    signal: run.signal,
    reconnects: true,
    publishing: 'hub',
    onWait: tellingWaits((text) => run.emit({ kind: 'warning', text })),
  },
});

interface AllPlanned {
  readonly planned: readonly Planned[];
  readonly sizeBytes: number;
  readonly collection: string | null;
}

/** Says what will be sent, and what is not. */
async function plan(publishing: Publishing): Promise<AllPlanned> {
  const { recipe, settings, run } = publishing;
  const { targets, together } = await targetsIn(resolve(recipe.model), recipe.repository);
  const asks = settings.token !== null || !recipe.dryRun;
  const account = asks ? await writingAccount(callsOf(publishing, recipe.repository)) : null;
  const planned: Planned[] = [];
  for (const each of targets) {
    const { folder, repository } = each;
    const target = asks ? await lookAtTarget(callsOf(publishing, repository), recipe) : null;
    const prepared = await prepare(recipe, each, run);
    for (const text of prepared.warnings) run.emit({ kind: 'warning', text });
    const upload = await withFolder(folder, prepared.card, async (found) =>
      uploadOf(recipe, repository, found, target),
    );
    planned.push({ upload, target, prepared });
  }
  const folders = planned.map(({ upload }) => upload);
  const sizeBytes = folders.reduce((sum, upload) => sum + upload.sizeBytes, 0);
  const collection = recipe.collection ?? together;
  run.emit({
    kind: 'upload',
    upload: { endpoint: inWords(settings.endpoint), account, folders, sizeBytes, collection },
  });
  return { planned, sizeBytes, collection };
}

const uploadOf = (
  { branch, visibility, tag }: PublishRecipe,
  repository: string,
  { folder, files, sizeBytes, leftOut }: FolderToPublish,
  target: Target | null,
): PlannedUpload => ({
  folder,
  repository,
  branch,
  visibility,
  creates: target?.creates ?? null,
  tag,
  files: files.map(({ path, content }) => ({ name: path, sizeBytes: content.size })),
  leftOut: [...leftOut],
  sizeBytes,
});

async function publish(
  publishing: Publishing,
  { upload, target, prepared, collection: named }: Planned & Pick<AllPlanned, 'collection'>,
  { files, refuseChanged }: FolderToPublish,
  uploading: UploadProgress,
): Promise<{ folder: PublishedFolder; collection: string | null }> {
  const { recipe, settings } = publishing;
  const calls = callsOf(publishing, upload.repository);
  const publication = {
    ...recipe,
    collection: named,
    files,
    title: `Publish ${upload.repository.split('/')[1]} with Espalier`,
  };
  const watch = { ...uploading.of(files), beforeCommit: refuseChanged };
  const { collection, ...done } = await publishFiles(calls, publication, target!, watch);
  uploading.isDone(upload);
  const { commit, wasThere, removed } = done;
  const url = pageOf(calls.subject, settings);
  return { folder: { ...upload, ...prepared, url, commit, wasThere, removed: [...removed] }, collection };
}

const unpublished = ({ settings }: Publishing, { upload, prepared }: Planned): PublishedFolder => ({
  ...upload,
  ...prepared,
  url: pageOf({ kind: 'models', repository: upload.repository }, settings),
  commit: null,
  wasThere: false,
  removed: [],
});
