// TensorFlow.js: its backends, and graph models on the one that runs. A model's files are fetched
// once and kept, so that another backend needs no request.

import * as tf from '@tensorflow/tfjs-core';
import { loadGraphModel, type GraphModel } from '@tensorflow/tfjs-converter';

import { SIDE } from '../contract';
import { EngineError, within, type Classifier } from './engine';

export type Backend = 'wasm' | 'webgl' | 'webgpu' | 'cpu';

const START_MS = 20_000;
let isWebglLost = false;
const STARTS: Record<Backend, () => Promise<void>> = {
  wasm: registerWasm,
  webgl: async () => void (await import('@tensorflow/tfjs-backend-webgl')),
  webgpu: async () => void (await import('@tensorflow/tfjs-backend-webgpu')),
  cpu: async () => void (await import('@tensorflow/tfjs-backend-cpu')),
};

/** Makes a backend the one that graphs run on. */
export async function startBackend(backend: Backend): Promise<void> {
  if (backend === 'wasm') checkWasm();
  if (backend === 'webgl' && isWebglLost) {
    throw new EngineError('The WebGL context was lost. Reload the page to use WebGL again.');
  }
  await STARTS[backend]();
  const started = await within(START_MS, `TensorFlow.js on ${backend}`, tf.setBackend(backend));
  if (!started) throw new EngineError(`TensorFlow.js cannot start on ${backend} in this browser.`);
}

/** Calls back once when WebGL's context is lost: the driver restarted, the phone took it away. */
export function onContextLost(lost: () => void): void {
  if (tf.getBackend() !== 'webgl') return;
  const backend = tf.backend() as unknown as { gpgpu: { gl: WebGL2RenderingContext } };
  const gone = (): void => {
    isWebglLost = true;
    lost();
  };
  backend.gpgpu.gl.canvas.addEventListener('webglcontextlost', gone, { once: true });
}

/** How many tensors are alive: flat, or something leaks. */
export function tensorCount(): number {
  return tf.memory().numTensors;
}

/** Returns a graph model from the bytes of its files, to be opened on any backend. */
export async function readGraph(
  read: (name: string) => Promise<ArrayBuffer>,
  entry: string,
): Promise<tf.io.ModelArtifacts> {
  const folder = entry.slice(0, entry.lastIndexOf('/') + 1);
  const model = parse(await read(entry), entry);
  const paths = model.weightsManifest.flatMap((group) => group.paths);
  const shards = await Promise.all(paths.map((path) => read(folder + path)));
  const weightSpecs = model.weightsManifest.flatMap((group) => group.weights);
  checkWeights(weightSpecs, shards, entry);
  const { modelTopology, signature, userDefinedMetadata } = model;
  const weightData = shards.length === 1 ? shards[0]! : shards;
  return { modelTopology, signature, userDefinedMetadata, weightSpecs, weightData };
}

function parse(bytes: ArrayBuffer, entry: string): tf.io.ModelJSON {
  try {
    const model = JSON.parse(new TextDecoder().decode(bytes)) as tf.io.ModelJSON;
    if (Array.isArray(model.weightsManifest) && model.modelTopology) return model;
  } catch {
    // said below
  }
  throw new EngineError(`${entry} is no TensorFlow.js graph model.`);
}

/** Opens a graph model on the backend that runs. */
export function openGraph(artifacts: tf.io.ModelArtifacts): Promise<GraphModel> {
  return loadGraphModel(tf.io.fromMemory(artifacts));
}

/** Opens our model: uint8 faces in, probabilities out. */
export async function openClassifier(artifacts: tf.io.ModelArtifacts): Promise<Classifier> {
  const model = await openGraph(artifacts);
  return {
    classify: async (face) => {
      const [probabilities] = await run(model, Float32Array.from(face), [1, SIDE, SIDE, 1]);
      return Array.from(probabilities!);
    },
    dispose: () => model.dispose(),
  };
}

/** Returns a graph's outputs for one input, in the order of `outputs`. */
export async function run(
  model: GraphModel,
  input: Float32Array,
  shape: [number, number, number, number],
  outputs?: string[],
): Promise<Float32Array[]> {
  const answers = tf.tidy(() => {
    const answer = model.execute(tf.tensor4d(input, shape), outputs);
    return Array.isArray(answer) ? answer : [answer];
  });
  try {
    return await Promise.all(answers.map((answer) => answer.data() as Promise<Float32Array>));
  } finally {
    tf.dispose(answers);
  }
}

/** A truncated shard would be read as other weights: its bytes must be as many as the model says. */
function checkWeights(specs: tf.io.WeightsManifestEntry[], shards: ArrayBuffer[], entry: string): void {
  const width = { float16: 2, uint8: 1, uint16: 2 };
  const expected = specs.reduce((sum, { shape, quantization }) => {
    const values = shape.reduce((n, side) => n * side, 1);
    return sum + values * (quantization ? width[quantization.dtype] : 4);
  }, 0);
  const found = shards.reduce((sum, shard) => sum + shard.byteLength, 0);
  if (expected > 0 && found === expected) return;
  throw new EngineError(`${entry}: expected weights of ${expected} bytes, found ${found}.`);
}

/** Throws at once where WASM is blocked, which TF.js would wait on for ever. */
function checkWasm(): void {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // an empty one
  } catch {
    throw new EngineError('WebAssembly is blocked or missing in this browser.');
  }
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
