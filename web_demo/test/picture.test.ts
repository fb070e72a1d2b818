import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Picture, PictureError } from '../src/picture';
import { sized, stubCanvas } from './canvas';

let count: { taken: number };
beforeEach(() => (count = stubCanvas()));
afterEach(() => vi.unstubAllGlobals());

test('a picture of over 16 megapixels is shrunk, and boxes stay in pixels of its source', () => {
  const picture = new Picture();
  picture.draw(sized(8000, 4000)); // 32 megapixels
  expect(picture.shrink).toBeCloseTo(Math.SQRT1_2, 12);
  const { x, y, width, height } = picture.middle();
  [2000, 0, 4000, 4000].forEach((side, i) => expect([x, y, width, height][i]).toBeCloseTo(side, -1));
  const { scale, width: small } = picture.forDetector();
  expect(small).toBe(256);
  expect(scale).toBeCloseTo(256 / 8000, 5);
});

test('what the detector looks at is made once a frame', () => {
  const picture = new Picture();
  picture.draw(sized(640, 480));
  expect(picture.forDetector()).toBe(picture.forDetector());
  const before = picture.forDetector();
  picture.draw(sized(640, 480));
  expect(picture.forDetector()).not.toBe(before);
  expect(count.taken).toBe(2);
});

test.each([
  [0, 0, 0, 10],
  [0, 0, 10, 0],
  [0, 0, -5, 10],
  [NaN, 0, 10, 10],
  [0, Infinity, 10, 10],
  [0, 0, NaN, 10],
])('no face is in the box %d, %d, %d, %d', (x, y, width, height) => {
  const picture = new Picture();
  picture.draw(sized(64, 48));
  expect(() => picture.face({ x, y, width, height })).toThrow(PictureError);
  expect(() => picture.face({ x, y, width, height })).toThrow('Expected a box of finite x and y with a width');
});

test.each([[null], [undefined], ['photo.jpg'], [7], [{}]])('%j is no picture', (source) => {
  const draw = () => new Picture().draw(source as unknown as ImageBitmap);
  expect(draw).toThrow(PictureError);
  expect(draw).toThrow('Expected an image, video, canvas or bitmap, found');
});

test('a picture without pixels is refused', () => {
  expect(() => new Picture().draw(sized(0, 10))).toThrow('no pixels');
});
