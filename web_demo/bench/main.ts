// Times our engines and a peer's, @vladmandic/face-api, on the same picture in the same page, and
// posts raw times to the page's server. scripts/web_bench.py runs it and makes the table.
//   index.html?page=URL&peer=URL&picture=URL&rounds=N&result=URL

import * as faceapi from '@vladmandic/face-api/dist/face-api.esm.js';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';

import { load, type EngineName } from '../src/fer-edge';
import { Picture } from '../src/picture';

const BLOCK = 8; // calls between two looks at the clock, which is coarse
const WARM_UP = 3;

/** What is timed, once. */
type Call = () => Promise<unknown>;

const query = new URLSearchParams(location.search);

function asked(name: string): string {
  const value = query.get(name);
  if (value === null) throw new Error(`expected ?${name}=… in the address`);
  return value;
}

async function main(): Promise<object> {
  const image = await loadImage(asked('picture'));
  const calls: Record<string, Call> = { ...(await ours(image)), ...(await peers(image)) };
  for (const call of Object.values(calls)) for (let i = 0; i < WARM_UP; i++) await call();
  const times: Record<string, number[]> = {};
  for (let round = 0; round < Number(asked('rounds')); round++) {
    for (const [name, call] of Object.entries(calls)) (times[name] ??= []).push(await timed(call));
  }
  return { user_agent: navigator.userAgent, block: BLOCK, milliseconds: times, first: firstMs };
}

let firstMs = NaN;

/** Ours: each engine's classification of a crop, and the whole way from the picture. */
async function ours(image: HTMLImageElement): Promise<Record<string, Call>> {
  const page = asked('page');
  const calls: Record<string, Call> = {};
  for (const engine of ['tfjs-wasm', 'litert'] as EngineName[]) {
    const start = performance.now();
    const options = { detector: `${page}detector/`, litert: `${page}litert/`, engine };
    const fer = await load(`${page}model/`, options);
    const { faces } = await fer.readFaces(image);
    if (engine === 'tfjs-wasm') firstMs = performance.now() - start;
    if (faces.length !== 1) throw new Error(`expected one face, found ${faces.length}`);
    if (fer.engine !== engine) throw new Error(`${engine} did not start`);
    const picture = new Picture();
    picture.draw(image);
    const face = picture.face(faces[0]!.box);
    calls[`${engine}/classify`] = () => fer.classifyCrop(face);
    calls[`${engine}/picture`] = () => fer.readFaces(image);
  }
  return calls;
}

/** The peer's: its expression net on a face that is cropped already, and with its detector. */
async function peers(image: HTMLImageElement): Promise<Record<string, Call>> {
  const { tf, nets } = faceapi;
  const paths = { 'tfjs-backend-wasm.wasm': plain, 'tfjs-backend-wasm-simd.wasm': simd };
  tf.setWasmPaths(Object.fromEntries(Object.entries(paths).map(([k, v]) => [k, absolute(v)])));
  if (!(await tf.setBackend('wasm'))) throw new Error("the peer's WASM backend did not start");
  await tf.ready();
  await nets.faceExpressionNet.loadFromUri(asked('peer'));
  await nets.tinyFaceDetector.loadFromUri(asked('peer'));
  const options = new faceapi.TinyFaceDetectorOptions();
  const found = await faceapi.detectSingleFace(image, options);
  if (!found) throw new Error('the peer finds no face');
  const [crop] = await faceapi.extractFaces(image, [found]);
  return {
    'face-api/classify': () => nets.faceExpressionNet.predictExpressions(crop),
    'face-api/picture': () => faceapi.detectSingleFace(image, options).withFaceExpressions(),
  };
}

function absolute(url: string): string {
  return new URL(url, location.href).href;
}

/** Returns the milliseconds of one of a block of calls. */
async function timed(call: Call): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < BLOCK; i++) await call();
  return (performance.now() - start) / BLOCK;
}

async function loadImage(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

const outcome = await main().catch((error: unknown) => ({ error: String(error) }));
await fetch(asked('result'), { method: 'POST', body: JSON.stringify(outcome) });
document.getElementById('state')!.textContent = JSON.stringify(outcome);
