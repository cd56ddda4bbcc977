// Reports of evaluations and studies out of their JSON, as --json wrote them or as a run keeps them. Pure.
import { reportOf } from '../evaluation/reportFromHarness';
import type { EvaluateReport } from './evaluate/recipe';
import { evaluateReportSchema, harnessResultsSchema } from './evaluate/reportSchema';
import type { StudyReport } from './study/recipe';
import { studyReportSchema } from './study/reportSchema';

interface ParsedEvaluation {
  readonly report: EvaluateReport;
  /** null: only results of a harness have it. */
  readonly dateEpochMs: number | null;
}

/** @returns null for what is no whole report of an evaluation */
export function parseEvaluation(json: unknown): ParsedEvaluation | null {
  const results = harnessResultsSchema.safeParse(json);
  if (results.success) return reportOf(results.data);
  const report = evaluateReportSchema.safeParse(json);
  return report.success ? { report: report.data, dateEpochMs: null } : null;
}

/** @returns null for what is no whole report of a study */
export function parseStudy(json: unknown): StudyReport | null {
  const report = studyReportSchema.safeParse(json);
  if (!report.success) return null;
  // As it was, with the infinities that JSON does not have.
  const { variants, evaluation } = report.data;
  return { ...(json as object), variants, evaluation } as unknown as StudyReport;
}
