// What raw answers of BlazeFace mean, on answers that are made up here.

import { expect, test } from 'vitest';

import { N_ANCHORS, facesOf, overlap } from '../src/blazeface';

/** Answers with nothing but the faces that are given: anchor, logit, and box from its middle. */
function answers(faces: { anchor: number; logit: number; box: number[] }[]): [Float32Array, Float32Array] {
  const scores = new Float32Array(N_ANCHORS).fill(-100);
  const boxes = new Float32Array(N_ANCHORS * 16);
  for (const { anchor, logit, box } of faces) {
    scores[anchor] = logit;
    boxes.set(box, anchor * 16);
  }
  return [scores, boxes];
}

test('there are 896 anchors', () => {
  expect(N_ANCHORS).toBe(16 * 16 * 2 + 8 * 8 * 6);
});

test('a box is the contract square around it, in pixels of the source', () => {
  // Anchor 0 is in the middle of the first of 16 x 16 cells: (8, 8).
  const [face] = facesOf(...answers([{ anchor: 0, logit: 4, box: [12, 22, 20, 20] }]), 0.5);
  const side = 1.11 * 20;
  expect(face!.width).toBeCloseTo(side / 0.5, 5);
  expect(face!.height).toBeCloseTo(side / 0.5, 5);
  expect(face!.x + face!.width / 2).toBeCloseTo(20 / 0.5, 5);
  expect(face!.y + face!.height / 2).toBeCloseTo((30 - 0.16 * 20) / 0.5, 5);
  expect(face!.score).toBeCloseTo(1 / (1 + Math.exp(-4)), 6);
});

test('the second grid has 8 x 8 cells of six anchors', () => {
  const [face] = facesOf(...answers([{ anchor: 512, logit: 4, box: [0, 0, 50, 50] }]), 1);
  expect(face!.x + face!.width / 2).toBeCloseTo(16, 5);
});

test('boxes of one face become one, weighted by their scores', () => {
  const same = answers([
    { anchor: 0, logit: 2, box: [50, 50, 40, 40] },
    { anchor: 1, logit: 2, box: [54, 50, 40, 40] },
  ]);
  const faces = facesOf(...same, 1);
  expect(faces).toHaveLength(1);
  expect(faces[0]!.x + faces[0]!.width / 2).toBeCloseTo(8 + 52, 5);
});

test('faces come from left to right, doubtful ones not at all', () => {
  const three = answers([
    { anchor: 0, logit: 3, box: [200, 50, 30, 30] },
    { anchor: 2, logit: 2, box: [20, 50, 30, 30] },
    { anchor: 4, logit: 1, box: [100, 150, 30, 30] }, // 0.73
  ]);
  const faces = facesOf(...three, 1);
  expect(faces.map(({ x }) => x < 100)).toEqual([true, false]);
});

test.each([[NaN], [-Infinity]])('a score of %d is no face', (logit) => {
  expect(facesOf(...answers([{ anchor: 3, logit, box: [50, 50, 40, 40] }]), 1)).toEqual([]);
});

test('a box without a size is no face', () => {
  expect(facesOf(...answers([{ anchor: 3, logit: 9, box: [50, 50, 0, 40] }]), 1)).toEqual([]);
});

test.each([[NaN], [Infinity]])('a box with %d in it is no face', (number) => {
  const odd = answers([{ anchor: 3, logit: 9, box: [number, 5, 40, 40] }]);
  expect(facesOf(...odd, 1)).toEqual([]);
});

test('what boxes share', () => {
  const a = { x: 0, y: 0, width: 2, height: 2 };
  expect(overlap(a, { x: 1, y: 0, width: 2, height: 2 })).toBeCloseTo(2 / 6, 12);
  expect(overlap(a, { x: 2, y: 0, width: 2, height: 2 })).toBe(0);
  expect(overlap({ ...a, width: 0 }, { ...a, width: 0 })).toBe(0);
});

test('boxes that share more than 0.3 are one face, those that share less are two', () => {
  const at = (dx: number) =>
    answers([
      { anchor: 0, logit: 4, box: [50, 50, 40, 40] },
      { anchor: 1, logit: 3, box: [50 + dx, 50, 40, 40] },
    ]);
  expect(facesOf(...at(20), 1)).toHaveLength(1); // 1/3
  expect(facesOf(...at(23), 1)).toHaveLength(2); // 17/63
});

test('of a crowd there are 32 faces, the surest', () => {
  const crowd = Array.from({ length: 40 }, (_, i) => ({ anchor: 22 * i, logit: 2 + i / 10, box: [0, 0, 4, 4] }));
  const faces = facesOf(...answers(crowd), 1);
  expect(faces).toHaveLength(32);
  expect(Math.min(...faces.map(({ score }) => score))).toBeCloseTo(1 / (1 + Math.exp(-2.8)), 6);
});
