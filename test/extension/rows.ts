// Models and runs as the server tells of them, for rows of tests.
import type { MeasuredLoss } from '../../server/protocol/reports';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { FoundModel, RunState, RunSummary } from '../../server/protocol/server';

export function foundModel(folder: string, some: Partial<FoundModel['summary']> = {}, rest = {}): FoundModel {
  return {
    summary: {
      name: folder.split('/').at(-1)!,
      folder,
      family: 'llama',
      nBlocks: 30,
      nParameters: 134_515_008,
      nParametersPerBlock: 3_540_096,
      sizeBytes: 269_060_552,
      dtype: 'bf16',
      width: 576,
      mlpWidth: 1536,
      nHeads: 9,
      nKeyValueHeads: 3,
      headWidth: 64,
      vocabularySize: 49152,
      contextLength: 8192,
      tiedEmbeddings: true,
      ownHeadDespiteTie: false,
      unusedTensors: [],
      rope: 'plain',
      droppedSublayers: { attention: [], mlp: [] },
      prunedFrom: null,
      healed: false,
      ...some,
    },
    parentFolder: null,
    analysisRunId: null,
    ...rest,
  };
}

export const measured = (costNats: number): MeasuredLoss => ({
  lossNats: 3 + costNats,
  standardError: 0.1,
  costNats,
  costStandardError: 0.01,
});

/** Of three blocks. */
export function analysis(some: Partial<AnalyzeReport>): AnalyzeReport {
  const { summary } = foundModel('/w/tiny', { nBlocks: 3 });
  return { kind: 'analyze', model: summary, methods: {}, removals: null, ...some } as AnalyzeReport;
}

export function runSummary(state: RunState, some: Partial<RunSummary> = {}): RunSummary {
  return {
    runId: '1',
    kind: 'prune',
    title: 'Prune tiny',
    model: '/w/tiny',
    createdAtEpochMs: 0,
    startedAtEpochMs: state.state === 'queued' ? null : 1000,
    endedAtEpochMs: null,
    lastSeq: 1,
    host: null,
    ...state,
    ...some,
  } as RunSummary;
}
