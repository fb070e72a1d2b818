// Ours: each engine's classification of a crop, and the whole way from the picture.

import { load, type EngineName } from '../src/fer-edge';
import { Picture } from '../src/picture';
import { asked, askedPicture } from './asked';
import type { Call, Contender } from './main';

async function main(): Promise<Contender> {
  const image = await askedPicture();
  const page = new URL(asked('page'), location.href).href;
  const calls: Record<string, Call> = {};
  let firstMs = NaN;
  for (const engine of ['tfjs-wasm', 'litert'] as EngineName[]) {
    const start = performance.now();
    const fer = await load(`${page}model/`, {
      detector: `${page}detector/`,
      litert: `${page}litert/`,
      engine,
      onFallback: (_from, _to, why) => console.error(why),
    });
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
  return { calls, firstMs };
}

window.contender = main();
