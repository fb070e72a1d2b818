// The mean over time and the largest of probabilities, held to Python's (scripts/golden.py).

import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { topK } from '../src/answers';
import { Tracks } from '../src/tracks';

const golden = JSON.parse(
  readFileSync(new URL('../../tests/golden/answers.json', import.meta.url), 'utf8'),
) as { times_ms: number[]; probabilities: number[][]; smoothed: number[][]; order: number[][] };

test('bars flow as those of the camera on a board', () => {
  const tracks = new Tracks();
  const box = { x: 100, y: 100, width: 50, height: 50, score: 1 };
  expect(golden.times_ms.length).toBeGreaterThan(20);
  golden.times_ms.forEach((ms, i) => {
    const [track] = tracks.update([{ box, probabilities: golden.probabilities[i]! }], ms);
    track!.probabilities.forEach((p, k) => expect(p).toBeCloseTo(golden.smoothed[i]![k]!, 5)); // float32 there
  });
});

test.each([1, 2, 7])('the %d largest are those that Python finds', (k) => {
  golden.probabilities.forEach((row, i) => expect(topK(row, k)).toEqual(golden.order[i]!.slice(0, k)));
});
