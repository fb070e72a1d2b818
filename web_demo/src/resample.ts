// Pictures at another size, as OpenCV's INTER_AREA makes them: one definition for the face crop and
// for what the detector looks at.

/** What n output pixels are made of: `weights[i * most + k]` of the input's `first[i] + k`. */
interface Taps {
  n: number;
  first: Int32Array;
  weights: Float64Array;
  /** Weights of a pixel; those that it does not need are 0, and never of pixels past the end. */
  most: number;
}

/** Values in rows of `width` pixels of `channels` each. */
export interface Plane {
  values: ArrayLike<number>;
  width: number;
  height: number;
  /** Of a pixel in `values`. */
  channels: number;
}

/**
 * Returns a plane at another size, 0 to 255.
 *
 * Shrinking, a pixel is the mean of what it covers, parts of pixels weighted by their area; growing,
 * it is made of two neighbours along each axis.
 *
 * @param channels - How many of a pixel's are wanted, from the first on.
 */
export function resample(from: Plane, width: number, height: number, channels: number): Uint8Array {
  const [shrinkX, shrinkY] = [from.width / width, from.height / height];
  const isArea = shrinkX >= 1 && shrinkY >= 1;
  const round = shrinkX === 2 && shrinkY === 2 ? roundHalfUp : roundHalfToEven;
  const rows = tapsOf(from.height, height, isArea);
  const columns = tapsOf(from.width, width, isArea);
  const small = new Uint8Array(width * height * channels);
  const row = new Float64Array(from.width * from.channels);
  for (let y = 0, to = 0; y < height; y++) {
    sumRows(from, rows, y, row);
    for (let x = 0; x < width; x++) {
      const start = columns.first[x]! * from.channels;
      for (let c = 0; c < channels; c++) {
        small[to++] = round(tidy(sumPixels(row, columns, x, start + c, from.channels)));
      }
    }
  }
  return small;
}

/** Writes the rows that an output row is made of, weighted, into one. */
function sumRows({ values }: Plane, { first, weights, most }: Taps, y: number, row: Float64Array): void {
  row.fill(0);
  for (let k = 0; k < most; k++) {
    const weight = weights[y * most + k]!;
    if (weight === 0) continue;
    const start = (first[y]! + k) * row.length;
    for (let i = 0; i < row.length; i++) row[i]! += weight * values[start + i]!;
  }
}

/** Returns what an output pixel's channel is made of in a row. */
function sumPixels(row: Float64Array, { weights, most }: Taps, x: number, start: number, step: number): number {
  let sum = 0;
  for (let k = 0; k < most; k++) sum += weights[x * most + k]! * row[start + k * step]!;
  return sum;
}

/** Returns what pixels along an axis are made of; the last shapes asked for are kept. */
function tapsOf(from: number, to: number, isArea: boolean): Taps {
  const key = `${from} ${to} ${isArea}`;
  const taps = known.get(key) ?? makeTaps(from, to, isArea ? areaWeights : linearWeights);
  if (known.size >= KEPT) known.clear();
  known.set(key, taps);
  return taps;
}

const KEPT = 64;
const known = new Map<string, Taps>();

function makeTaps(from: number, to: number, weigh: (i: number, from: number, to: number) => Weighed): Taps {
  const all = Array.from({ length: to }, (_, i) => weigh(i, from, to));
  const most = Math.max(...all.map(({ weights }) => weights.length));
  const taps = { n: to, first: new Int32Array(to), weights: new Float64Array(to * most), most };
  all.forEach(({ first, weights }, i) => {
    const back = Math.max(0, first + most - from); // so that the zeros stay inside
    taps.first[i] = first - back;
    taps.weights.set(weights, i * most + back);
  });
  return taps;
}

interface Weighed {
  first: number;
  weights: number[];
}

/** Shrinking: each pixel that the output's one covers, by the share of it that is covered. */
function areaWeights(i: number, from: number, to: number): Weighed {
  const scale = from / to;
  const [low, high] = [i * scale, (i + 1) * scale];
  const first = Math.floor(low);
  const weights = [];
  for (let s = first; s < Math.min(from, Math.ceil(high)); s++) {
    weights.push((Math.min(s + 1, high) - Math.max(s, low)) / scale);
  }
  return { first, weights };
}

/** Growing: two neighbours. */
function linearWeights(i: number, from: number, to: number): Weighed {
  const s = Math.floor((i * from) / to);
  const share = Math.max(0, i + 1 - ((s + 1) * to) / from);
  return { first: s, weights: s + 1 < from ? [1 - share, share] : [1] };
}

/** Takes off what adding shares of pixels leaves behind, so that a half is a half. */
function tidy(sum: number): number {
  return Math.round(sum * 2 ** 24) / 2 ** 24;
}

function roundHalfUp(x: number): number {
  return Math.floor(x + 0.5);
}

/** As Python's and C's `rint` round. */
export function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
