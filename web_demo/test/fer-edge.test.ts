// The library on the shipped model, with TensorFlow.js on plain JavaScript: Node has no browser's.

import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { load, type FerEdge, type Options } from '../src/fer-edge';
import { compareEngines } from '../src/page/compare';
import { sized, stubCanvas } from './canvas';

const FALLBACK = vi.fn();
const PICTURE = sized(64, 48);
const BOX = { x: 8, y: 8, width: 48, height: 48 };

beforeEach(() => {
  stubCanvas();
  FALLBACK.mockClear();
  vi.spyOn(console, 'warn').mockImplementation(() => undefined); // TF.js asks for its Node backend
  vi.stubGlobal('fetch', async (url: string) => {
    const file = new URL(`..${new URL(url).pathname.replace('/page', '')}`, import.meta.url);
    return new Response(readFileSync(file));
  });
});
afterEach(() => vi.unstubAllGlobals());

function open(options: Options = {}): Promise<FerEdge> {
  return load('./model', { detector: null, engine: 'tfjs-cpu', onFallback: FALLBACK, ...options });
}

test('a face is read, and what is freed is gone', async () => {
  const fer = await open();
  const { tensors } = fer;
  expect(tensors).toBeGreaterThan(20);
  const answer = await fer.classify(PICTURE, BOX);
  expect(answer.probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
  expect(fer.tensors).toBe(tensors);
  await fer.use('tfjs-cpu');
  await fer.use('tfjs-cpu');
  expect(fer.tensors).toBe(tensors); // the models before are gone
  fer.dispose();
  await expect(fer.classify(PICTURE, BOX)).rejects.toThrow('disposed of');
  expect(fer.tensors).toBe(0);
});

test('what is no picture and no box is said in words, and the next is read', async () => {
  const fer = await open();
  await expect(fer.classify(null as unknown as ImageBitmap)).rejects.toThrow('Expected an image, video');
  await expect(fer.classify(PICTURE, { ...BOX, width: NaN })).rejects.toThrow('Expected a box of finite');
  await expect(fer.readFaces(PICTURE)).rejects.toThrow('pass a box to classify');
  expect((await fer.classify(PICTURE)).emotion).toBeTypeOf('string');
  fer.dispose();
});

test('where WASM does not run, a GPU is tried before plain JavaScript', async () => {
  const fer = await open({ engine: 'tfjs-wasm' });
  expect(fer.engine).toBe('tfjs-cpu');
  const [from, to, why] = FALLBACK.mock.calls[0] as string[];
  expect([from, to]).toEqual(['tfjs-wasm', 'tfjs-cpu']);
  expect(why).toMatch(/wasm.*webgl/s);
  fer.dispose();
});

test('a comparison goes back to the engine before, also where one does not run', async () => {
  const used: string[] = [];
  const fer = {
    engine: 'tfjs-webgl',
    manifest: { emotions: ['a', 'b'] },
    use: async (engine: string) => {
      used.push(engine);
      if (engine !== 'litert') fer.engine = engine;
    },
    classifyCrop: async () => (await new Promise((resolve) => setTimeout(resolve, 31)), [0.25, 0.75]),
  };
  const compared = compareEngines(fer as unknown as FerEdge, PICTURE, BOX);
  await expect(compared).rejects.toThrow('does not run here');
  expect(used).toEqual(['tfjs-webgl', 'litert', 'tfjs-webgl']);
});
