// What BlazeFace's raw answers mean: boxes of faces, and the square that the contract crops.
// Source: Bazarevsky et al., BlazeFace, arXiv:1907.05047; the "back camera" network, 256 x 256.

import type { Box } from './crop';

export const INPUT = 256; // the side of what it looks at, in pixels
const GRIDS = [
  { cells: 16, anchors: 2 },
  { cells: 8, anchors: 6 },
] as const;
const ANCHORS = anchors();
export const N_ANCHORS = ANCHORS.length;
const NUMBERS = 16; // an anchor: x, y, width, height, then six landmarks

// Of 90 portraits' true faces the least sure had 0.84 and one half out of the picture 0.72; a hand
// had 0.73.
const MIN_SCORE = 0.75;
const MIN_OVERLAP = 0.3; // boxes of the same face
const MAX_FACES = 32;

// BlazeFace's box is from the eyebrows to the chin. The reference square around the same face, that
// of OpenCV's Haar cascade, is 1.11 x as wide (standard deviation 0.06), its middle higher by 0.16
// heights (0.03), sideways by nothing (0.05). n = 15 faces of shared/data/portraits, half of them
// mirrored; for each the median over pictures of 640, 760, 900, 1070 and 1280 px.
const GROW = 1.11;
const RISE = 0.16;

export interface Face extends Box {
  /** The detector's, 0 to 1. */
  score: number;
}

/**
 * Returns the reference squares of the faces, from left to right, in pixels of the source.
 *
 * @param scores - (896,) logits.
 * @param boxes - (896, 16), in pixels of the 256 x 256 picture, from the anchor's middle.
 * @param scale - How many of those pixels one of the source's is wide.
 */
export function facesOf(scores: Float32Array, boxes: Float32Array, scale: number): Face[] {
  const found = likely(scores, boxes).map((face) => reference(face, scale));
  return found.slice(0, MAX_FACES).sort((a, b) => a.x - b.x || a.y - b.y);
}

/** Returns a face for each heap of overlapping boxes: their mean, weighted by their scores. */
function likely(scores: Float32Array, boxes: Float32Array): Face[] {
  let left = decode(scores, boxes).sort((a, b) => b.score - a.score);
  const faces: Face[] = [];
  while (left.length > 0) {
    const best = left[0]!;
    const same = left.filter((face) => overlap(face, best) > MIN_OVERLAP);
    faces.push({ ...mean(same), score: best.score });
    left = left.filter((face) => face !== best && overlap(face, best) <= MIN_OVERLAP);
  }
  return faces;
}

function decode(scores: Float32Array, boxes: Float32Array): Face[] {
  const faces: Face[] = [];
  const minLogit = Math.log(MIN_SCORE / (1 - MIN_SCORE));
  for (const [i, [x, y]] of ANCHORS.entries()) {
    const logit = scores[i]!;
    if (!(logit >= minLogit)) continue; // also what is no number
    const [dx, dy, width, height] = boxes.subarray(i * NUMBERS, i * NUMBERS + 4);
    if (![dx, dy, width, height].every(Number.isFinite) || width! <= 0 || height! <= 0) continue;
    const score = 1 / (1 + Math.exp(-logit));
    faces.push({
      x: x + dx! - width! / 2,
      y: y + dy! - height! / 2,
      width: width!,
      height: height!,
      score,
    });
  }
  return faces;
}

function mean(faces: readonly Face[]): Box {
  const sum = faces.reduce((all, face) => all + face.score, 0);
  const of = (pick: (face: Face) => number) =>
    faces.reduce((all, face) => all + pick(face) * face.score, 0) / sum;
  return { x: of((f) => f.x), y: of((f) => f.y), width: of((f) => f.width), height: of((f) => f.height) };
}

/** Returns the contract's square of a box of BlazeFace's. */
function reference(face: Face, scale: number): Face {
  const side = Math.sqrt(face.width * face.height) * GROW;
  const x = face.x + face.width / 2 - side / 2;
  const y = face.y + face.height / 2 - side / 2 - RISE * face.height;
  return { x: x / scale, y: y / scale, width: side / scale, height: side / scale, score: face.score };
}

/** Returns what two boxes share, as a fraction of what they cover together. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const shared = Math.max(0, width) * Math.max(0, height);
  const both = a.width * a.height + b.width * b.height - shared;
  return both > 0 ? shared / both : 0;
}

function anchors(): [number, number][] {
  const middles: [number, number][] = [];
  for (const { cells, anchors: n } of GRIDS) {
    const step = INPUT / cells;
    for (let y = 0; y < cells; y++) {
      for (let x = 0; x < cells; x++) {
        for (let k = 0; k < n; k++) middles.push([(x + 0.5) * step, (y + 0.5) * step]);
      }
    }
  }
  return middles;
}
