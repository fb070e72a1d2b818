// THE face crop against golden vectors that Python wrote (scripts/golden.py).

import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';

import { expect, test } from 'vitest';

import { cropFace, squareOf, type Pixels } from '../src/crop';

interface Golden {
  width: number;
  height: number;
  rgb: string;
  crops: { name: string; box: [number, number, number, number]; face: string }[];
}

const golden = JSON.parse(
  readFileSync(new URL('../../tests/golden/crops.json', import.meta.url), 'utf8'),
) as Golden;
const picture = rgba(unpack(golden.rgb));

function unpack(text: string): Uint8Array {
  return new Uint8Array(inflateSync(Buffer.from(text, 'base64')));
}

function rgba(rgb: Uint8Array): Pixels {
  const data = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  rgb.forEach((value, i) => (data[Math.floor(i / 3) * 4 + (i % 3)] = value));
  return { data, width: golden.width, height: golden.height };
}

function boxOf([x, y, width, height]: [number, number, number, number]) {
  return { x, y, width, height };
}

test('there are crops to be held to', () => {
  expect(golden.crops.length).toBeGreaterThan(10);
});

test.each(golden.crops)('$name', ({ box, face }) => {
  const found = cropFace(picture, boxOf(box));
  const expected = unpack(face);
  expect(found.length).toBe(48 * 48);
  const side = squareOf(boxOf(box), golden.width, golden.height).side;
  const apart = found.map((value, i) => Math.abs(value - expected[i]!));
  // Whole multiples of 48 are exact; elsewhere OpenCV computes in float32 or in fixed point.
  expect(Math.max(...apart)).toBeLessThanOrEqual(side % 48 === 0 ? 0 : 1);
  expect(apart.reduce((sum, value) => sum + value, 0) / apart.length).toBeLessThan(side < 48 ? 0.5 : 0.01);
});

test('no square is larger than the contract allows', () => {
  expect(squareOf({ x: 0, y: 0, width: 1e5, height: 5 }, 100, 100).side).toBe(8192);
});

test('a picture without pixels is refused', () => {
  const empty = { data: new Uint8ClampedArray(0), width: 0, height: 0 };
  expect(() => cropFace(empty, { x: 0, y: 0, width: 9, height: 9 })).toThrow('no pixels');
});
