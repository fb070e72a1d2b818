// How LiteRT.js is started and what it leaves behind; LiteRT.js itself is a stand-in.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { openLiteRt } from '../src/engines/litert';

const runtime = vi.hoisted(() => ({ alive: 0, starts: [] as string[], fails: null as unknown }));

vi.mock('@litertjs/core', () => {
  class Tensor {
    constructor() {
      runtime.alive++;
    }
    toTypedArray = () => Uint8Array.of(64, 192);
    delete = () => void runtime.alive--;
  }
  const model = { run: async () => [new Tensor()], delete: () => void runtime.alive-- };
  return {
    Tensor,
    loadLiteRt: async (program: string) => {
      runtime.starts.push(program);
      if (runtime.fails) throw runtime.fails;
    },
    loadAndCompile: async () => (runtime.alive++, model),
  };
});

beforeEach(() => {
  vi.stubGlobal('fetch', async (url: string) => new Response('', { status: url.endsWith('compat_internal.js') ? 404 : 200 }));
});
afterEach(() => vi.unstubAllGlobals());

test('a start that failed says which file is missing, and can be tried again', async () => {
  runtime.fails = new Event('error');
  const opened = openLiteRt(new Uint8Array(1), 'https://a.host/litert/');
  await expect(opened).rejects.toThrow(
    'LiteRT.js cannot start: litert_wasm_compat_internal.js is missing: the server answered 404 for ' +
      'https://a.host/litert/litert_wasm_compat_internal.js',
  );
  runtime.fails = null;
  await openLiteRt(new Uint8Array(1), 'https://a.host/litert/').then((model) => model.dispose());
  await openLiteRt(new Uint8Array(1), 'https://a.host/litert/').then((model) => model.dispose());
  expect(runtime.starts).toHaveLength(2); // once more after the failure, and never again
});

test('nothing is left behind', async () => {
  const model = await openLiteRt(new Uint8Array(1), './litert/');
  expect(runtime.alive).toBe(1);
  for (let i = 0; i < 5; i++) expect(await model.classify(new Uint8Array(48 * 48))).toEqual([0.25, 0.75]);
  expect(runtime.alive).toBe(1);
  model.dispose();
  expect(runtime.alive).toBe(0);
});
