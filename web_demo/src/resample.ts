// Pictures at another size, as OpenCV's INTER_AREA makes them: one definition for the face crop and
// for what the detector looks at.

/** What an output pixel is made of: `weights[k]` of the input's pixel `first + k`. */
interface Taps {
  first: number;
  weights: number[];
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
  const narrow = rows(from, tapsOf(from.width, width, isArea), channels);
  const round = shrinkX === 2 && shrinkY === 2 ? roundHalfUp : roundHalfToEven;
  const across = width * channels;
  const small = new Uint8Array(across * height);
  tapsOf(from.height, height, isArea).forEach(({ first, weights }, y) => {
    for (let x = 0; x < across; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * narrow[(first + k) * across + x]!;
      small[y * across + x] = round(tidy(sum));
    }
  });
  return small;
}

/** Resamples along the rows: float64 (height, columns, channels). */
function rows(from: Plane, columns: readonly Taps[], channels: number): Float64Array {
  const narrow = new Float64Array(from.height * columns.length * channels);
  const { values, width } = from;
  let to = 0;
  for (let y = 0; y < from.height; y++) {
    for (const { first, weights } of columns) {
      const start = (y * width + first) * from.channels;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * values[start + k * from.channels + c]!;
        narrow[to++] = sum;
      }
    }
  }
  return narrow;
}

function tapsOf(from: number, to: number, isArea: boolean): Taps[] {
  return Array.from({ length: to }, (_, i) => (isArea ? areaTaps(i, from, to) : linearTaps(i, from, to)));
}

/** Shrinking: each pixel that the output's one covers, by the share of it that is covered. */
function areaTaps(i: number, from: number, to: number): Taps {
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
function linearTaps(i: number, from: number, to: number): Taps {
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
