// A backend that starts after all, when another runs already.

import * as tf from '@tensorflow/tfjs-core';
import { afterEach, expect, test, vi } from 'vitest';

import { startBackend } from '../src/engines/tfjs';

const late = vi.hoisted(() => ({ start: (_: object) => {} }));

vi.mock('@tensorflow/tfjs-backend-wasm', async () => {
  const { registerBackend } = await import('@tensorflow/tfjs-core');
  registerBackend('wasm', () => new Promise<never>((resolve) => (late.start = resolve as typeof late.start)));
  return { setWasmPaths: () => undefined };
});

afterEach(() => vi.useRealTimers());

test('it does not take over', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  vi.stubGlobal('fetch', async () => new Response(''));
  vi.useFakeTimers();
  const tooLate = expect(startBackend('wasm')).rejects.toThrow('TensorFlow.js on wasm did not start in 20 s');
  await vi.advanceTimersByTimeAsync(0);
  while (vi.getTimerCount() === 0) await vi.dynamicImportSettled(); // its program is imported first
  await vi.advanceTimersByTimeAsync(20_000);
  await tooLate;
  await startBackend('cpu');
  expect(tf.getBackend()).toBe('cpu');
  late.start({ numDataIds: () => 0, dispose: () => undefined });
  await vi.advanceTimersByTimeAsync(1);
  expect(tf.getBackend()).toBe('cpu');
});
