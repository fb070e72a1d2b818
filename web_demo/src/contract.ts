// What a model eats and answers, as its manifest.json says it. The names of the emotions come from
// there, never from a constant here.

export const SIDE = 48; // of a face, in pixels

/** An accuracy with its 95% interval, each from 0 to 1, over n faces. */
export interface Share {
  value: number;
  low: number;
  high: number;
  n: number;
}

export interface FileRecord {
  bytes: number;
  sha256: string;
}

export interface Manifest {
  name: string;
  emotions: string[];
  /** Under this probability an answer is "unsure"; null where the manifest has no threshold. */
  threshold: number | null;
  /** What each file is, by its path beside the manifest. */
  files: Record<string, FileRecord>;
  /** Top-1 of the int8 file, and the split that it is on; null where it was not measured. */
  top1: (Share & { split: string }) | null;
}

/** Something is not as the contract says; the message is for people. */
export class ContractError extends Error {}

/** Reads a manifest.json that was parsed; unknown keys are left alone. */
export function readManifest(found: unknown): Manifest {
  const all = record(found, 'manifest.json');
  const emotions = all['emotions'];
  if (!Array.isArray(emotions) || emotions.length < 2 || !emotions.every(isText)) {
    throw new ContractError('The manifest names no emotions. Export the model again.');
  }
  return {
    name: isText(all['name']) ? all['name'] : 'model',
    emotions,
    threshold: thresholdOf(all['confidence']),
    files: filesOf(all['files']),
    top1: top1Of(all['scores']),
  };
}

function thresholdOf(confidence: unknown): number | null {
  const threshold = isRecord(confidence) ? confidence['unsure_below'] : null;
  return isNumber(threshold) && threshold >= 0 && threshold <= 1 ? threshold : null;
}

function filesOf(found: unknown): Record<string, FileRecord> {
  const files: Record<string, FileRecord> = {};
  for (const [name, file] of Object.entries(isRecord(found) ? found : {})) {
    if (!isRecord(file)) continue;
    const { size_bytes: bytes, sha256 } = file;
    if (isNumber(bytes) && isText(sha256)) files[name] = { bytes, sha256 };
  }
  return files;
}

function top1Of(scores: unknown): Manifest['top1'] {
  const int8 = isRecord(scores) ? scores['int8'] : null;
  const top1 = isRecord(int8) ? int8['top1'] : null;
  if (!isRecord(int8) || !isRecord(top1)) return null;
  const { value, low, high, n } = top1;
  if (!isNumber(value) || !isNumber(low) || !isNumber(high) || !isNumber(n)) return null;
  return { value, low, high, n, split: isText(int8['split']) ? int8['split'] : '' };
}

function record(found: unknown, what: string): Record<string, unknown> {
  if (isRecord(found)) return found;
  throw new ContractError(`Expected ${what} to be a JSON object. Export the model again.`);
}

function isRecord(found: unknown): found is Record<string, unknown> {
  return typeof found === 'object' && found !== null && !Array.isArray(found);
}

function isText(found: unknown): found is string {
  return typeof found === 'string';
}

function isNumber(found: unknown): found is number {
  return typeof found === 'number' && Number.isFinite(found);
}
