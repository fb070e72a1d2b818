// THE face crop of the contract: the same square, gray and area resize as fer_edge/faces.py, which
// says each step. Tested on golden vectors that Python wrote.

import { SIDE } from './contract';
import { resample } from './resample';

const MAX_SQUARE = 8192;

/** A rectangle in pixels of its picture, which it may leave; pixel i reaches from i to i + 1. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A picture as a canvas gives it: RGBA, uint8, row by row. */
export interface Pixels {
  data: Uint8ClampedArray | Uint8Array;
  width: number;
  height: number;
}

/** Where a square stands in its picture: the pixels left ... left + side - 1, likewise down. */
export interface Square {
  left: number;
  top: number;
  side: number;
}

/** Returns the square that a box is cropped to. */
export function squareOf(box: Box, width: number, height: number): Square {
  const side = Math.max(1, Math.floor(Math.min(Math.max(box.width, box.height), MAX_SQUARE) + 0.5));
  return {
    left: startOf(box.x + box.width / 2, side, width),
    top: startOf(box.y + box.height / 2, side, height),
    side,
  };
}

/** Returns the face in a picture, uint8 (48, 48), row by row. */
export function cropFace(picture: Pixels, box: Box): Uint8Array {
  if (picture.width < 1 || picture.height < 1) throw new RangeError('The picture has no pixels.');
  const square = squareOf(box, picture.width, picture.height);
  const gray = graySquare(picture, square);
  const plane = { values: gray, width: square.side, height: square.side, channels: 1 };
  return resample(plane, SIDE, SIDE, 1);
}

/** Returns BT.601 luma as OpenCV computes it, uint8 (side, side); the edge goes on outside. */
function graySquare(picture: Pixels, { left, top, side }: Square): Uint8Array {
  const gray = new Uint8Array(side * side);
  const columns = Array.from({ length: side }, (_, i) => 4 * clamp(left + i, picture.width));
  for (let y = 0, at = 0; y < side; y++) {
    const row = 4 * picture.width * clamp(top + y, picture.height);
    for (const column of columns) {
      const p = row + column;
      const [r, g, b] = [picture.data[p]!, picture.data[p + 1]!, picture.data[p + 2]!];
      gray[at++] = (3735 * b + 19235 * g + 9798 * r + 16384) >> 15;
    }
  }
  return gray;
}

function startOf(centre: number, side: number, limit: number): number {
  return Math.floor(Math.min(Math.max(centre - side / 2 + 0.5, -side), limit));
}

function clamp(at: number, limit: number): number {
  return Math.min(Math.max(at, 0), limit - 1);
}
