// Runs a TF.js graph model over faces, without a browser:
//   node verify/run_tfjs.mjs FOLDER FACES.bin cpu|wasm
// FOLDER holds model.json; FACES.bin is uint8 (n, 48, 48). Prints (n, k) probabilities as JSON.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';

const SIDE = 48;
const [folder, faces, backend] = process.argv.slice(2);

const wasm = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
setWasmPaths(`${dirname(wasm)}/`); // before the backend is chosen
if (!(await tf.setBackend(backend))) throw new Error(`TF.js has no backend ${backend} here`);

const { weightsManifest, ...topology } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
const shards = weightsManifest.flatMap((group) => group.paths);
const model = await loadGraphModel(
  tf.io.fromMemory({
    ...topology,
    weightSpecs: weightsManifest.flatMap((group) => group.weights),
    weightData: new Uint8Array(Buffer.concat(shards.map((shard) => readFileSync(join(folder, shard)))))
      .buffer,
  }),
);

const pixels = readFileSync(faces);
const answers = [];
for (let start = 0; start < pixels.length; start += SIDE * SIDE) {
  const face = Float32Array.from(pixels.subarray(start, start + SIDE * SIDE));
  const probabilities = tf.tidy(() => model.predict(tf.tensor4d(face, [1, SIDE, SIDE, 1])));
  answers.push(Array.from(await probabilities.data()));
  probabilities.dispose();
}
console.log(JSON.stringify(answers));
