import { expect, test } from 'vitest';

import { resample, type Plane } from '../src/resample';

function plane(width: number, height: number, values: number[]): Plane {
  return { values, width, height, channels: 1 };
}

const COLUMN = [0, 40, 80, 200];

test('a half is a half, also where it is added up of shares', () => {
  const row = [228, 106, 1, 158, 31, 45, 22, 255, 176, 243]; // 1265 in all; in floats 126.50000000000001
  expect([...resample(plane(10, 1, row), 1, 1, 1)]).toEqual([126]);
});

test('shrinking along both axes is the mean of what is covered', () => {
  expect([...resample(plane(1, 4, COLUMN), 1, 1, 1)]).toEqual([80]);
});

test('growing along one axis, two neighbours count along both, as in OpenCV', () => {
  expect([...resample(plane(1, 4, COLUMN), 2, 1, 1)]).toEqual([30, 30]); // 0.25 x 0 + 0.75 x 40
  expect([...resample(plane(1, 4, COLUMN), 1, 1, 1)]).toEqual([80]); // and it is not remembered so
});
