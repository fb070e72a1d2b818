// What every engine is: faces in, probabilities out. Which there are, and what people call them.

export const ENGINES = ['tfjs-wasm', 'tfjs-webgl', 'tfjs-webgpu', 'tfjs-cpu', 'litert'] as const;
export type EngineName = (typeof ENGINES)[number];

export const TITLES: Record<EngineName, string> = {
  'tfjs-wasm': 'TensorFlow.js · WASM',
  'tfjs-webgl': 'TensorFlow.js · WebGL',
  'tfjs-webgpu': 'TensorFlow.js · WebGPU',
  'tfjs-cpu': 'TensorFlow.js · plain JavaScript',
  litert: 'LiteRT.js · int8 on WASM',
};

export interface Classifier {
  /** Gets uint8 (48, 48), row by row; returns a probability an emotion. */
  classify(face: Uint8Array): Promise<number[]>;
  dispose(): void;
}

/** An engine cannot start or run a model; the message is for people. */
export class EngineError extends Error {}

/** Returns what an error says to people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for what may never settle: TF.js on WASM does not where WASM is blocked. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new EngineError(`${what} did not start in ${ms / 1000} s.`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
