import { expect, test } from 'vitest';

import { Recent } from '../src/answers';
import type { FerEdge } from '../src/fer-edge';
import { factsOf } from '../src/page/facts';

const fer = {
  engine: 'tfjs-wasm',
  manifest: { name: 'm', files: { 'tfjs/a': { bytes: 2048 }, 'int8.tflite': { bytes: 1024 } } },
} as unknown as FerEdge;

function recent(...values: number[]): Recent {
  const kept = new Recent(9);
  values.forEach((value) => kept.add(value));
  return kept;
}

const timing = { detect: recent(1, 2, 3), classify: recent(), frames: recent(0, 100, 200) };

test('a line breaks between figures and never in one', () => {
  const facts = Object.fromEntries(factsOf(fer, timing, true));
  const broken = facts['Detection']!.split(' ');
  expect(broken.map((part) => part.replaceAll('\u00a0', ' '))).toEqual(['p50 2.0 ms', '·', 'p90 2.8 ms', '(n = 3)']);
  expect(facts['Classification']).toBe('–');
  expect(facts['Model']).toBe('m, 2 KiB');
});

test('frames go by only while the camera is on', () => {
  const rate = (isLive: boolean) => Object.fromEntries(factsOf(fer, timing, isLive))['Frames'];
  expect(rate(true)).toBe('10.0\u00a0a\u00a0second');
  expect(rate(false)).toBe('–');
});
