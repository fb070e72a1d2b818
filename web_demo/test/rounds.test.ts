// The page stays alive between rounds, and engines are measured only as long as nobody chooses one.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { EngineName } from '../src/engines/engine';
import { pickFastest, type Reader } from '../src/page/measure';
import { inRounds } from '../src/page/rounds';
import type { Picture } from '../src/picture';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (paint: () => void) => setTimeout(paint, 16));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('the browser gets its turn before each round', async () => {
  const order: string[] = [];
  const done = inRounds(3, 1000, async () => (order.push('round'), true));
  setInterval(() => order.push('browser'), 10);
  await vi.advanceTimersByTimeAsync(200);
  await done;
  const first = order.indexOf('round');
  expect(order.slice(0, first)).toContain('browser');
  expect(order.filter((what) => what === 'round')).toHaveLength(3);
  expect(order.join(' ')).not.toContain('round round');
});

test.each([
  ['there were enough', 4, 1, 4],
  ['they took too long', 10, 400, 3],
  ['one took too long by itself', 10, 5000, 1],
])('rounds end once %s', async (_, most, takesMs, expected) => {
  let n = 0;
  const done = inRounds(most, 1000, async () => {
    n++;
    vi.setSystemTime(0); // only the clock of performance counts
    await vi.advanceTimersByTimeAsync(takesMs);
    return true;
  });
  await vi.advanceTimersByTimeAsync(20_000);
  await done;
  expect(n).toBe(expected);
});

test('they end where no other is wanted', async () => {
  let n = 0;
  const done = inRounds(9, 1000, async () => ++n < 2);
  await vi.advanceTimersByTimeAsync(1000);
  await done;
  expect(n).toBe(2);
});

/** An engine in each of several speeds; one of 0 does not start. */
class Engines implements Reader {
  engine: EngineName = 'tfjs-wasm';
  used: EngineName[] = [];

  constructor(private readonly ms: Partial<Record<EngineName, number>>) {}

  async use(engine: EngineName): Promise<void> {
    this.used.push(engine);
    this.engine = this.ms[engine] ? engine : 'tfjs-wasm';
  }

  async readFaces(): ReturnType<Reader['readFaces']> {
    return { faces: [], times: { detectMs: this.ms[this.engine]!, classifyMs: 1 } };
  }
}

const ALL: EngineName[] = ['tfjs-wasm', 'tfjs-webgpu', 'tfjs-webgl'];

async function pick(engines: Engines, isWanted = () => true) {
  const measured = pickFastest(engines, ALL, {} as Picture, isWanted);
  await vi.advanceTimersByTimeAsync(20_000);
  return measured;
}

test.each<[string, Partial<Record<EngineName, number>>, EngineName, number]>([
  ['the fastest', { 'tfjs-wasm': 40, 'tfjs-webgpu': 20, 'tfjs-webgl': 10 }, 'tfjs-webgl', 3],
  ['one in the middle', { 'tfjs-wasm': 40, 'tfjs-webgpu': 10, 'tfjs-webgl': 30 }, 'tfjs-webgpu', 3],
  ['the first, unless another is much faster', { 'tfjs-wasm': 40, 'tfjs-webgpu': 39, 'tfjs-webgl': 38 }, 'tfjs-wasm', 3],
  ['what runs', { 'tfjs-wasm': 40, 'tfjs-webgpu': 0, 'tfjs-webgl': 10 }, 'tfjs-webgl', 2],
])('of several engines it stays on %s', async (_, ms, expected, nMeasured) => {
  const engines = new Engines(ms);
  expect(await pick(engines)).toHaveLength(nMeasured);
  expect(engines.engine).toBe(expected);
});

test('what somebody chooses meanwhile is left alone', async () => {
  const engines = new Engines({ 'tfjs-wasm': 40, 'tfjs-webgpu': 20, 'tfjs-webgl': 10, litert: 90 });
  let chosen = false;
  setTimeout(() => {
    chosen = true;
    void engines.use('litert');
  }, 200); // while the second is measured
  await pick(engines, () => !chosen);
  expect(engines.engine).toBe('litert');
  expect(engines.used.at(-1)).toBe('litert');
});
