import { expect, test } from 'vitest';

import { Recent, answerOf, quantile, topK } from '../src/answers';

const EMOTIONS = ['angry', 'happy', 'sad'];

test('the k largest come first, of equal ones the earlier', () => {
  expect(topK([0.1, 0.4, 0.1, 0.4], 3)).toEqual([1, 3, 0]);
});

test.each([
  { threshold: 0.5, unsure: true },
  { threshold: 0.49, unsure: false },
  { threshold: null, unsure: false },
])('under the threshold $threshold an answer is unsure: $unsure', ({ threshold, unsure }) => {
  const answer = answerOf([0.3, 0.49, 0.21], EMOTIONS, threshold);
  expect(answer).toMatchObject({ emotion: 'happy', probability: 0.49, unsure });
});

test.each([
  [[5], 0.5, 5],
  [[1, 2, 3, 4], 0.5, 2.5],
  [[10, 0], 0.9, 9],
  [[3, 1, 2], 0, 1],
])('quantile of %j at %f is %f', (values, q, expected) => {
  expect(quantile(values, q)).toBeCloseTo(expected, 12);
});

test('there is no quantile of nothing', () => {
  expect(quantile([], 0.5)).toBeNaN();
});

test('only the last are kept', () => {
  const recent = new Recent(2);
  [1, 2, 3].forEach((value) => recent.add(value));
  expect(recent.values).toEqual([2, 3]);
  recent.clear();
  expect(recent.values).toEqual([]);
});
