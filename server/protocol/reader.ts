// Between the compute server and its reader processes, over IPC. What parses or walks what others wrote is done there, so that
// the server's loop goes on whatever they wrote: a reader that takes too long, or too much, is ended.
import type { DeviceChoice, DevicesReport } from './devices';
import type { PlanEstimate } from './engine';
import type { ModelSummary } from './reports';
import type { BrokenModel } from './server';
import type { Recipe } from '../recipes/kinds';

/** Requests by method. `roots`: the resolved folders below which paths may lie. */
export interface ReaderRequests {
  candidateFolders: { params: { folders: readonly string[]; roots: readonly string[] }; result: CandidateFolders };
  openModel: { params: { folder: string; roots: readonly string[] }; result: OpenedModel };
  inspectModel: { params: { folder: string; roots: readonly string[] }; result: ModelSummary };
  makePlan: {
    params: { recipe: Recipe; roots: readonly string[]; on: PlannedDevice };
    result: PlanEstimate;
  };
  /** The recipe with all of its paths resolved. */
  resolveRecipe: { params: { recipe: Recipe; roots: readonly string[] }; result: Recipe };
  /** What `auto` is on this machine; measured where that was not done yet. */
  chooseDevice: { params: Record<string, never>; result: DeviceChoice };
  /** `measure`: anew, even where it is known. */
  listDevices: { params: { measure: boolean }; result: DevicesReport };
  parseRecipe: { params: { yaml: string; file: string }; result: Recipe };
  formatRecipe: { params: { recipe: Recipe }; result: string };
}

/** What is known of the device that a recipe will run on. */
export interface PlannedDevice {
  readonly device: 'cpu' | 'webgpu' | 'cuda';
  /** Why, where the recipe names none. */
  readonly reason: string | null;
  /** null: not known yet. */
  readonly operationsPerSecond: number | null;
}

export type ReaderMethod = keyof ReaderRequests;

export interface CandidateFolders {
  /** Such as have the files of a model. */
  readonly folders: string[];
  readonly unreadable: BrokenModel[];
  /** Why not all folders were looked through; null: all were. */
  readonly cut: string | null;
}

export interface OpenedModel {
  readonly summary: ModelSummary;
  /** What it says it was made from, nearest first. */
  readonly madeFrom: readonly { readonly name: string; readonly nBlocks: number }[];
}

export interface ReaderRequest {
  readonly id: number;
  readonly method: ReaderMethod;
  readonly params: unknown;
}

export type ReaderReply = {
  readonly id: number;
  /** What the process holds. */
  readonly rssBytes: number;
} & ({ readonly result: unknown } | { readonly error: { code: string; message: string; stack?: string } });

/** A request that takes more is ended, and answered with a sentence made of its row. */
export interface ReaderLimit {
  readonly withinMs: number;
  /** Begins the sentence. */
  readonly what: string;
  /** Ends it. */
  readonly remedy: string;
}

const aModel = {
  withinMs: 20_000,
  what: 'Reading this model',
  remedy: 'get its files again from where it is published',
};
/** Two probes and two programs, each within a limit of its own, which is longer where the machine is busy. */
const devices = { withinMs: 330_000, what: 'Measuring the devices', remedy: 'name the device to compute on' };
const aRecipe = { withinMs: 20_000, what: 'Reading this recipe', remedy: 'make it shorter and simpler' };

export const readerLimits: { readonly [M in ReaderMethod]: ReaderLimit } = {
  candidateFolders: { withinMs: 30_000, what: 'Looking for models', remedy: 'open a folder with fewer files in it' },
  openModel: aModel,
  inspectModel: aModel,
  makePlan: { withinMs: 30_000, what: 'Planning this run', remedy: 'take smaller files of data, or fewer models' },
  resolveRecipe: { ...aRecipe, what: 'Following the paths of this recipe', remedy: 'name folders with fewer files' },
  chooseDevice: devices,
  listDevices: devices,
  parseRecipe: aRecipe,
  formatRecipe: { ...aRecipe, what: 'Writing this recipe' },
};

/** Of a reader: numbers, texts and objects; and all that the system counts. */
export const mostHeapBytes = 512 * 2 ** 20;
export const mostReaderBytes = 2 ** 30;
/** Of an answer, as JSON. The server reads it on its loop. */
export const mostReplyLength = 4 * 2 ** 20;
