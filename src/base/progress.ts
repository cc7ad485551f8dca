/** Progress of anything long, as values: whoever shows it (terminal, API, nobody) decides how. */

export type Progress = {
  /** What is going on, for a person: `orders: base backup`. */
  step: string;
  doneBytes?: number;
  totalBytes?: number;
  doneItems?: number;
  totalItems?: number;
  /** Set once, when the step has ended. */
  ended?: { tookMs: number };
};

export type ProgressListener = (progress: Progress) => void;

export const silent: ProgressListener = () => {};
