// The peer's: its expression net on a face that is cropped already, and with its detector.

import * as faceapi from '@vladmandic/face-api/dist/face-api.esm.js';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';

import { asked, askedPicture } from './asked';
import type { Contender } from './main';

/** What is used of the peer's TensorFlow.js, whose types it does not bring. */
interface Tf {
  setWasmPaths(paths: Record<string, string>): void;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
}

async function main(): Promise<Contender> {
  const start = performance.now();
  const image = await askedPicture();
  const { nets } = faceapi;
  const tf = faceapi.tf as unknown as Tf;
  tf.setWasmPaths({
    'tfjs-backend-wasm.wasm': absolute(plain),
    'tfjs-backend-wasm-simd.wasm': absolute(simd),
    'tfjs-backend-wasm-threaded-simd.wasm': absolute(threaded),
  });
  if (!(await tf.setBackend('wasm'))) throw new Error("the peer's WASM backend did not start");
  await tf.ready();
  await nets.faceExpressionNet.loadFromUri(asked('peer'));
  await nets.tinyFaceDetector.loadFromUri(asked('peer'));
  const options = new faceapi.TinyFaceDetectorOptions();
  const found = await faceapi.detectSingleFace(image, options);
  if (!found) throw new Error('the peer finds no face');
  const crop = (await faceapi.extractFaces(image, [found]))[0]!;
  const calls = {
    'face-api/classify': () => nets.faceExpressionNet.predictExpressions(crop),
    'face-api/picture': async () => faceapi.detectSingleFace(image, options).withFaceExpressions(),
  };
  await calls['face-api/picture']();
  return { calls, firstMs: performance.now() - start };
}

function absolute(url: string): string {
  return new URL(url, location.href).href;
}

window.contender = main();
