// Finds faces with BlazeFace, a TensorFlow.js graph model from an npm package, on the backend that
// the page runs anyway.

import type { io } from '@tensorflow/tfjs-core';

import { facesOf, INPUT, type Face } from './blazeface';
import { openGraph, run } from './engines/tfjs';
import type { Picture } from './picture';

const OUTPUTS = ['Identity', 'Identity_1', 'Identity_2', 'Identity_3'];

export interface Detector {
  /** Returns the faces in a picture from left to right, in pixels of its source. */
  detect(picture: Picture): Promise<Face[]>;
  dispose(): void;
}

/** Opens the detector on the backend that runs. */
export async function openDetector(artifacts: io.ModelArtifacts): Promise<Detector> {
  const model = await openGraph(artifacts);
  return {
    detect: async (picture) => {
      const { rgb, width, height, scale } = picture.forDetector();
      const input = letterbox(rgb, width, height);
      const [near, far, nearBoxes, farBoxes] = await run(model, input, [1, INPUT, INPUT, 3], OUTPUTS);
      return facesOf(join(near!, far!), join(nearBoxes!, farBoxes!), scale);
    },
    dispose: () => model.dispose(),
  };
}

/** Puts RGB bytes into the upper left of black, as numbers from -1 to 1: (256, 256, 3). */
function letterbox(rgb: Uint8Array, width: number, height: number): Float32Array {
  const input = new Float32Array(INPUT * INPUT * 3).fill(-1);
  for (let y = 0, from = 0; y < height; y++) {
    let to = y * INPUT * 3;
    for (const end = to + width * 3; to < end; ) input[to++] = rgb[from++]! / 127.5 - 1;
  }
  return input;
}

function join(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
