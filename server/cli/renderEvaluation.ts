import type { EvaluateReport } from '../protocol';
export const renderEvaluation = (report: EvaluateReport): string => JSON.stringify(report.scores, null, 1);
