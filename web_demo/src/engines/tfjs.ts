// TensorFlow.js: its backends, and graph models on the one that runs. A model's files are fetched
// once and kept, so that another backend needs no request.

import * as tf from '@tensorflow/tfjs-core';
import { loadGraphModel, type GraphModel } from '@tensorflow/tfjs-converter';

import { SIDE } from '../contract';
import { whatIsMissing } from '../files';
import { EngineError, within, type Classifier } from './engine';

export type Backend = 'wasm' | 'webgl' | 'webgpu' | 'cpu';

const START_MS = 20_000;
const STARTS: Record<Backend, () => Promise<void>> = {
  wasm: registerWasm,
  webgl: async () => void (await import('@tensorflow/tfjs-backend-webgl')),
  webgpu: async () => void (await import('@tensorflow/tfjs-backend-webgpu')),
  cpu: async () => void (await import('@tensorflow/tfjs-backend-cpu')),
};

const watched = new WeakSet<object>();
const lost = new Set<Backend>();
const waiting = new Set<(reason: EngineError) => void>();
const listeners = new Set<(backend: Backend) => void>();

/** Makes a backend the one that graphs run on. */
export async function startBackend(backend: Backend): Promise<void> {
  if (backend === 'wasm') checkWasm();
  if (lost.has(backend)) throw lossOf(backend);
  await STARTS[backend]();
  try {
    const start = tf.setBackend(backend);
    if (!(await within(START_MS, `TensorFlow.js on ${backend}`, start))) throw failure(backend);
  } catch (error) {
    forgetStart(backend);
    if (backend === 'wasm') await checkWasmFiles();
    throw error;
  }
  watch(backend);
}

/** While a start is pending no other backend works, and one that ends after all would take over. */
function forgetStart(backend: Backend): void {
  const factory = tf.findBackendFactory(backend);
  if (!factory) return;
  tf.removeBackend(backend);
  tf.registerBackend(backend, factory); // so that it can be tried again
}

/** Calls back when a GPU is taken away: its driver restarted, or the phone needed it. */
export function onLost(listener: (backend: Backend) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function watch(backend: Backend): void {
  const device = tf.backend() as unknown as Device;
  if (watched.has(device)) return;
  watched.add(device);
  device.gpgpu?.gl.canvas.addEventListener('webglcontextlost', () => lose(backend));
  void device.device?.lost?.then(() => lose(backend));
}

/** What is used of the GPU backends. */
interface Device {
  gpgpu?: { gl: WebGL2RenderingContext };
  device?: { lost?: Promise<unknown> };
}

/** Ends what waits for an answer that never comes, then tells who listens. */
function lose(backend: Backend): void {
  lost.add(backend);
  for (const reject of waiting) reject(lossOf(backend));
  for (const listener of listeners) listener(backend);
}

/** Says what was lost. */
export function lossText(backend: Backend): string {
  return `The ${backend === 'webgl' ? 'WebGL context' : 'GPU'} was lost.`;
}

function lossOf(backend: Backend): EngineError {
  return new EngineError(`${lossText(backend)} Reload the page to use it again.`);
}

function failure(backend: Backend): EngineError {
  return new EngineError(`TensorFlow.js cannot start on ${backend} in this browser.`);
}

/** Waits for an answer, or for the loss of what computes it. */
function orLost<T>(answer: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    waiting.add(reject);
    answer.then(resolve, reject).finally(() => waiting.delete(reject));
  });
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
    return await orLost(Promise.all(answers.map((answer) => answer.data() as Promise<Float32Array>)));
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

let wasmFiles: string[] = []; // known from the first start on
let wasmFailed = false;

/** TF.js does not say that a program is missing, and never settles where it is the second time. */
async function checkWasmFiles(): Promise<void> {
  wasmFailed = true;
  const missing = await whatIsMissing(wasmFiles);
  if (missing !== null) throw new EngineError(missing);
}

async function registerWasm(): Promise<void> {
  if (wasmFailed) await checkWasmFiles();
  if (wasmFiles.length > 0) return; // TF.js takes no paths again after a start that failed
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const plain = await import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url');
  const simd = await import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url');
  const threaded = await import(
    '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'
  );
  wasmFiles = [simd.default, threaded.default, plain.default].map((file) => new URL(file, import.meta.url).href);
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain.default,
    'tfjs-backend-wasm-simd.wasm': simd.default,
    'tfjs-backend-wasm-threaded-simd.wasm': threaded.default,
  });
}
