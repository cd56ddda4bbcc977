// What the panel of an evaluation shows, as a function of what a person does: models in a form, or a run with the variants
// of other runs beside it; pure.
import type { EvaluatePage } from '../../../server/protocol/pages/evaluate';

/** Also what the window remembers. Of a run, `folders` are its models, the original first. */
export type EvaluationPlace = EvaluatePage['memory'];

export type PlaceEvent =
  /** A run cannot take another model, so its models go into a form with the new ones. */
  | { kind: 'modelsAdded'; folders: readonly string[] }
  | { kind: 'runsAdded'; runIds: readonly string[] }
  | { kind: 'modelRemoved'; folder: string }
  | { kind: 'runRemoved'; runId: string }
  | { kind: 'started'; runId: string; models: readonly string[] }
  /** Back to the form, with all models that are shown; `beside`: those of the runs beside. */
  | { kind: 'formAsked'; beside: readonly string[] };

/** The same place where nothing is to change. */
export function reducePlace(place: EvaluationPlace, event: PlaceEvent): EvaluationPlace {
  switch (event.kind) {
    case 'modelsAdded':
      return { folders: [...place.folders, ...event.folders], runId: null, beside: [] };
    case 'runsAdded':
      return { ...place, beside: [...place.beside, ...event.runIds] };
    case 'modelRemoved':
      if (place.folders.length <= 1) return place;
      return { ...place, folders: place.folders.filter((folder) => folder !== event.folder) };
    case 'runRemoved':
      return { ...place, beside: place.beside.filter((runId) => runId !== event.runId) };
    case 'started':
      return { folders: [...event.models], runId: event.runId, beside: [] };
    case 'formAsked':
      return { folders: [...new Set([...place.folders, ...event.beside])], runId: null, beside: [] };
  }
}
