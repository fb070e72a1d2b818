import { expect, test } from 'vitest';

import { Tracks, mix, share } from '../src/tracks';

const face = (x: number, probabilities = [1, 0]) => ({
  box: { x, y: 0, width: 100, height: 100, score: 0.9 },
  probabilities,
});

test('half of the new counts after a half-life', () => {
  expect(share(180, 180)).toBeCloseTo(0.5, 12);
  expect(share(0, 180)).toBe(0);
  expect(mix([0, 1], [1, 0], 0.25)).toEqual([0.25, 0.75]);
});

test('a face keeps its number while it moves, and its bars move slowly', () => {
  const tracks = new Tracks();
  const [first] = tracks.update([face(0, [1, 0])], 0);
  const [second] = tracks.update([face(20, [0, 1])], 180);
  expect(second!.id).toBe(first!.id);
  expect(second!.probabilities[1]).toBeCloseTo(0.5, 12);
  expect(second!.box.x).toBeGreaterThan(10);
  expect(second!.box.x).toBeLessThan(20);
});

test('two faces that cross the list keep their numbers', () => {
  const tracks = new Tracks();
  const [left, right] = tracks.update([face(0), face(300)], 0);
  const again = tracks.update([face(310), face(10)], 30);
  expect(again.map(({ id }) => id)).toEqual([left!.id, right!.id]);
});

test('a face that blinks out is waited for, not for ever', () => {
  const tracks = new Tracks();
  const [first] = tracks.update([face(0)], 0);
  expect(tracks.update([], 200)).toEqual([]);
  expect(tracks.update([face(5)], 390)[0]!.id).toBe(first!.id);
  tracks.update([], 700);
  tracks.update([], 900);
  expect(tracks.update([face(5)], 1000)[0]!.id).not.toBe(first!.id);
});

test('a device that needs a second a frame still knows a face again', () => {
  const tracks = new Tracks();
  const [first] = tracks.update([face(0)], 0);
  expect(tracks.update([face(5)], 1000)[0]!.id).toBe(first!.id);
});

test('two faces never share a number', () => {
  const tracks = new Tracks();
  tracks.update([face(0)], 0);
  const ids = tracks.update([face(0), face(10)], 30).map(({ id }) => id);
  expect(new Set(ids).size).toBe(2);
});

test('another source starts with new numbers', () => {
  const tracks = new Tracks();
  const [first] = tracks.update([face(0)], 0);
  tracks.clear();
  expect(tracks.update([face(0)], 10)[0]!.id).not.toBe(first!.id);
});

test('of two faces near two tracks each gets the one that it fits best', () => {
  const tracks = new Tracks();
  const [left, right] = tracks.update([face(0), face(50)], 0);
  const again = tracks.update([face(-5), face(40)], 30); // 40 shares 0.43 with the left one too
  expect(again.map(({ id }) => id)).toEqual([left!.id, right!.id]);
});

test('a face that moved is not where it was as well', () => {
  const tracks = new Tracks();
  tracks.update([face(0)], 0);
  tracks.update([face(40)], 40);
  const ids = tracks.update([face(0), face(60)], 60).map(({ id }) => id);
  expect(new Set(ids).size).toBe(2);
});

test('a box is halfway after 40 ms', () => {
  const tracks = new Tracks();
  tracks.update([face(0)], 0);
  expect(tracks.update([face(20)], 40)[0]!.box.x).toBeCloseTo(10, 9);
});
