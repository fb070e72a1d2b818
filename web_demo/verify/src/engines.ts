// The engines that run our models in a browser, behind one function: a face in, probabilities out.

export const SIDE = 48; // of a face, in pixels
const STEP = 1 / 256; // of the int8 model's uint8 probabilities

export type EngineName = 'tfjs-wasm' | 'tfjs-cpu' | 'litert';

/** Gets uint8 (48, 48), row by row; returns a probability an emotion. */
export type Classify = (face: Uint8Array) => Promise<number[]>;

/** Opens a model: `model.json` of a TF.js graph model, or a `.tflite` file for LiteRT.js. */
export function openEngine(engine: EngineName, model: string): Promise<Classify> {
  if (engine === 'litert') return openLiteRt(model);
  return openTfjs(engine === 'tfjs-wasm' ? 'wasm' : 'cpu', model);
}

async function openTfjs(backend: 'wasm' | 'cpu', url: string): Promise<Classify> {
  const tf = await import('@tensorflow/tfjs-core');
  const { loadGraphModel } = await import('@tensorflow/tfjs-converter');
  if (backend === 'wasm') await registerWasm();
  else await import('@tensorflow/tfjs-backend-cpu');
  if (!(await tf.setBackend(backend))) throw new Error(`TF.js cannot start its backend ${backend}`);
  const model = await loadGraphModel(url);
  return async (face) => {
    const answer = tf.tidy(
      () => model.predict(tf.tensor4d(Float32Array.from(face), [1, SIDE, SIDE, 1])) as import('@tensorflow/tfjs-core').Tensor,
    );
    const probabilities = Array.from(await answer.data());
    answer.dispose();
    return probabilities;
  };
}

async function registerWasm(): Promise<void> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const plain = await import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url');
  const simd = await import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url');
  const threaded = await import(
    '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'
  );
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain.default,
    'tfjs-backend-wasm-simd.wasm': simd.default,
    'tfjs-backend-wasm-threaded-simd.wasm': threaded.default,
  });
}

async function openLiteRt(url: string): Promise<Classify> {
  const { loadAndCompile, loadLiteRt, Tensor } = await import('@litertjs/core');
  await loadLiteRt(new URL('litert/', document.baseURI).href);
  const model = await loadAndCompile(url, { accelerator: 'wasm' });
  return async (face) => {
    const input = new Tensor(face.slice(), [1, SIDE, SIDE, 1]);
    const [output] = await model.run(input);
    const raw = output!.toTypedArray();
    const scale = raw instanceof Uint8Array ? STEP : 1;
    const probabilities = Array.from(raw as Uint8Array | Float32Array, (value) => value * scale);
    output!.delete();
    input.delete();
    return probabilities;
  };
}
