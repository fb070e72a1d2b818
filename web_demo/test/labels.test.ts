// Labels stand in the picture and never on one another.

import { expect, test } from 'vitest';

import { placeLabels, type Label, type Spot } from '../src/page/labels';

const FRAME = { width: 400, height: 300 };

function label(left: number, top: number, side: number): Label {
  return { box: { left, top, width: side, height: side }, height: 20, widths: [90, 50] };
}

test.each([
  ['above its box', label(100, 100, 80), { left: 100, top: 80 }],
  ['to the middle of the picture', label(300, 100, 80), { left: 290, top: 80 }],
  ['under a box at the top', label(100, 5, 80), { left: 100, top: 85 }],
  ['inside a box that fills the picture', label(20, 10, 285), { left: 20, top: 10 }],
  ['inside, where the box leaves the picture', label(-50, -50, 600), { left: 310, top: 0 }],
  ['in the picture, where the box leaves it to the left', label(-60, 100, 80), { left: 0, top: 80 }],
  ['in the picture, where the box leaves it to the right', label(380, 100, 80), { left: 310, top: 80 }],
])('a label stands %s', (_, one, expected) => {
  const [spot] = placeLabels([one], FRAME);
  expect(spot).toMatchObject({ ...expected, width: 90, height: 20, isShort: false });
});

test('beside another it says less rather than lie on it', () => {
  const row = { width: 150, height: 20 };
  const spots = placeLabels([label(0, 0, 50), label(100, 0, 40)], row);
  expect(spots).toMatchObject([{ left: 0, isShort: false }, { left: 90, isShort: true }]);
  expect(placeLabels([label(0, 0, 50), label(50, 0, 40)], { width: 120, height: 20 })[1]).toBeNull();
});

test('in a crowd no label lies on another or leaves the picture, and large faces have theirs', () => {
  const crowd = Array.from({ length: 40 }, (_, i) => label((i % 8) * 48, Math.floor(i / 8) * 55 + 5, 36 + (i % 3)));
  crowd.push(label(150, 100, 120));
  const spots = placeLabels(crowd, FRAME);
  const placed = spots.filter((spot): spot is Spot => spot !== null);
  expect(spots.at(-1)).toMatchObject({ isShort: false });
  expect(placed.length).toBeGreaterThan(10);
  expect(placed.length).toBeLessThan(crowd.length);
  placed.forEach((a, i) => {
    expect(a.left).toBeGreaterThanOrEqual(0);
    expect(a.top).toBeGreaterThanOrEqual(0);
    expect(a.left + a.width).toBeLessThanOrEqual(FRAME.width);
    expect(a.top + a.height).toBeLessThanOrEqual(FRAME.height);
    for (const b of placed.slice(i + 1)) {
      const apart =
        a.left + a.width <= b.left || b.left + b.width <= a.left || a.top + a.height <= b.top || b.top + b.height <= a.top;
      expect(apart).toBe(true);
    }
  });
});
