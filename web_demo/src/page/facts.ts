// What the panel says of this device, and the same as a JSON document.

import { quantile, type Recent } from '../answers';
import { TITLES, type FerEdge } from '../fer-edge';
import type { Shown } from './boxes';

const GLUE = '\u00a0'; // what it stands in breaks nowhere

export interface Timing {
  /** Milliseconds of each detection. */
  detect: Recent;
  /** Milliseconds of each classification. */
  classify: Recent;
  /** When each frame was done, in milliseconds. */
  frames: Recent;
}

/** Returns names and values for the panel. */
export function factsOf(fer: FerEdge, timing: Timing, isLive: boolean): [string, string][] {
  const { manifest } = fer;
  const rate = framesPerSecond(timing);
  return [
    ['Model', `${manifest.name}, ${kibibytes(sizeOf(fer))} KiB`],
    ['Runs on', TITLES[fer.engine]],
    ['Detection', percentiles(timing.detect)],
    ['Classification', percentiles(timing.classify)],
    ['Frames', isLive && rate !== null ? `${rate.toFixed(1)}${GLUE}a${GLUE}second` : '–'],
  ];
}

/** Returns everything that the page shows, for a file or a bug report. */
export function resultsOf(
  fer: FerEdge,
  timing: Timing,
  shown: readonly Shown[],
  [width, height]: [number, number],
  isLive: boolean,
): object {
  const { manifest } = fer;
  return {
    schema_version: 1,
    when: new Date().toISOString(),
    user_agent: navigator.userAgent,
    model: { name: manifest.name, emotions: manifest.emotions, size_bytes: sizeOf(fer) },
    engine: fer.engine,
    tensors: fer.tensors,
    picture: { width, height },
    faces: shown.map(({ id, box, answer }) => ({
      id,
      box: { x: box.x, y: box.y, width: box.width, height: box.height },
      emotion: answer.emotion,
      probability: answer.probability,
      unsure: answer.unsure,
      probabilities: answer.probabilities,
    })),
    detection_ms: summary(timing.detect),
    classification_ms: summary(timing.classify),
    frames_per_second: isLive ? framesPerSecond(timing) : null,
  };
}

/** Bytes of the files that the engine runs. */
function sizeOf(fer: FerEdge): number {
  const files = Object.entries(fer.manifest.files);
  const own = files.filter(([name]) =>
    fer.engine === 'litert' ? name === 'int8.tflite' : name.startsWith('tfjs/'),
  );
  return own.reduce((sum, [, file]) => sum + file.bytes, 0);
}

function summary(times: Recent): object {
  const { values } = times;
  const at = (q: number) => (values.length > 0 ? quantile(values, q) : null);
  return { p50: at(0.5), p90: at(0.9), n: values.length };
}

function percentiles({ values }: Recent): string {
  if (values.length === 0) return '–';
  const [half, most] = [quantile(values, 0.5), quantile(values, 0.9)];
  const text = `p50 ${half.toFixed(1)} ms|·|p90 ${most.toFixed(1)} ms|(n = ${values.length})`;
  return text.replaceAll(' ', GLUE).replaceAll('|', ' ');
}

function framesPerSecond({ frames }: Timing): number | null {
  const { values } = frames;
  const [first, last] = [values[0], values[values.length - 1]];
  if (first === undefined || last === undefined || last <= first) return null;
  return ((values.length - 1) * 1000) / (last - first);
}

function kibibytes(bytes: number): string {
  return (bytes / 1024).toFixed(0);
}
