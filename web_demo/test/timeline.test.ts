// The ribbon of the last half minute, on a canvas that notes what is drawn.

import { beforeEach, expect, test, vi } from 'vitest';

import { Timeline } from '../src/page/timeline';

interface Drawn {
  colour: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const WIDTH = 300; // a pixel is 100 ms
const HEIGHT = 100;
let drawn: Drawn[];

beforeEach(() => {
  drawn = [];
  vi.stubGlobal('window', { devicePixelRatio: 1 });
});

function timeline(): Timeline {
  const context = {
    fillStyle: '',
    clearRect: () => (drawn = []),
    fillRect: (x: number, y: number, width: number, height: number) =>
      drawn.push({ colour: context.fillStyle, x, y, width, height }),
  };
  const canvas = {
    width: WIDTH,
    height: HEIGHT,
    getContext: () => context,
    getBoundingClientRect: () => ({ width: WIDTH, height: HEIGHT }),
  };
  return new Timeline(canvas as unknown as HTMLCanvasElement, () => ['red', 'blue']);
}

test('probabilities are stacked from the bottom, the last reading on the right', () => {
  const line = timeline();
  line.add([0.25, 0.75], 29_000);
  line.draw(30_000);
  expect(drawn).toEqual([
    { colour: 'red', x: 290, y: 75, width: 10, height: 25 },
    { colour: 'blue', x: 290, y: 0, width: 10, height: 75 },
  ]);
});

test('half a minute is kept, and no more', () => {
  const line = timeline();
  line.add([1, 0], 0);
  line.add([1, 0], 20_000);
  line.add([0, 1], 30_000);
  line.draw(30_000);
  expect(drawn.filter(({ height }) => height > 0).map(({ x }) => x)).toEqual([0, 200, 300]);
  line.add([0, 1], 30_100);
  line.draw(30_100);
  expect(Math.min(...drawn.map(({ x }) => x))).toBe(199);
});

test('time without a reading is a gap', () => {
  const line = timeline();
  line.add([1, 0], 10_000);
  line.add([1, 0], 20_000);
  line.draw(20_100);
  expect(drawn[0]).toMatchObject({ x: 199, width: 15 });
});

test('columns meet: none is drawn half over another, and none leaves a stripe', () => {
  const line = timeline();
  const times = Array.from({ length: 40 }, (_, i) => 20_000 + i * 137);
  for (const ms of times) line.add([0.333, 0.667], ms);
  line.draw(times.at(-1)! + 137);
  const columns = drawn.filter(({ colour }) => colour === 'red');
  columns.slice(1).forEach((column, i) => expect(column.x).toBe(columns[i]!.x + columns[i]!.width));
  expect(drawn.every(({ x, y, width, height }) => [x, y, width, height].every(Number.isInteger))).toBe(true);
});

test('means are over what is kept', () => {
  const line = timeline();
  expect(line.means()).toEqual([]);
  line.add([1, 0], 0);
  line.add([0.5, 0.5], 10);
  expect(line.means()).toEqual([0.75, 0.25]);
  line.clear();
  expect(line.means()).toEqual([]);
});
