// LiteRT.js: the very int8 file that phones and boards run. Its program is megabytes, so that it is
// loaded only when it is asked for.

import { SIDE } from '../contract';
import { whatIsMissing } from '../files';
import { EngineError, messageOf, within, type Classifier } from './engine';

const STEP = 1 / 256; // of the int8 model's uint8 probabilities
// With relaxed SIMD and without; a browser loads one of them.
const PROGRAMS = ['internal', 'compat_internal'].flatMap((kind) =>
  ['js', 'wasm'].map((end) => `litert_wasm_${kind}.${end}`),
);
const START_MS = 60_000;
let started: Promise<unknown> | undefined;

/** Of a script that does not load browsers say no more than that. */
function reasonOf(error: unknown): string {
  return error instanceof Event ? 'its program does not load. Reload the page.' : messageOf(error);
}

/**
 * Opens an int8 model.
 *
 * @param program - Address of the folder with LiteRT.js's WASM files, with a slash behind.
 */
export async function openLiteRt(bytes: Uint8Array, program: string): Promise<Classifier> {
  const { loadAndCompile, loadLiteRt, Tensor } = await import('@litertjs/core');
  started ??= loadLiteRt(program); // once a page; LiteRT.js refuses a second time
  await within(START_MS, 'LiteRT.js', started).catch(async (error: unknown) => {
    started = undefined; // after a failure it may be tried again
    const missing = await whatIsMissing(PROGRAMS.map((name) => program + name));
    throw new EngineError(`LiteRT.js cannot start: ${missing ?? reasonOf(error)}`);
  });
  const model = await loadAndCompile(bytes, { accelerator: 'wasm' });
  return {
    classify: async (face) => {
      const input = new Tensor(face.slice(), [1, SIDE, SIDE, 1]);
      try {
        const [output] = await model.run(input);
        const raw = output!.toTypedArray();
        const scale = raw instanceof Uint8Array ? STEP : 1;
        const probabilities = Array.from(raw as Uint8Array | Float32Array, (value) => value * scale);
        output!.delete();
        return probabilities;
      } finally {
        input.delete();
      }
    },
    dispose: () => model.delete(),
  };
}
