// The same face through TF.js and through LiteRT.js: how fast each is here, and whether they agree.

import { topK } from '../answers';
import type { Box } from '../crop';
import { EngineError, TITLES, type EngineName } from '../engines/engine';
import { Picture, type FerEdge, type Source } from '../fer-edge';
import { timeClassification } from './measure';

/** Returns a table: its head, a row an engine, and how far they are apart. */
export async function compareEngines(fer: FerEdge, source: Source, box: Box): Promise<string[][]> {
  const before = fer.engine;
  const picture = new Picture();
  picture.draw(source);
  const face = picture.face(box);
  const first: EngineName = before === 'litert' ? 'tfjs-wasm' : before;
  const rows: string[][] = [['Engine', 'Classification', 'Answer']];
  const answers: number[][] = [];
  try {
    for (const engine of [first, 'litert'] as const) {
      await fer.use(engine);
      if (fer.engine !== engine) throw new EngineError(`${TITLES[engine]} does not run here.`);
      const probabilities = await fer.classifyCrop(face);
      const ms = await timeClassification(fer, face);
      answers.push(probabilities);
      rows.push([TITLES[engine], `${ms.toFixed(2)} ms`, topTwo(fer, probabilities)]);
    }
  } finally {
    await fer.use(before);
  }
  const apart = Math.max(...answers[0]!.map((p, i) => Math.abs(p - answers[1]![i]!)));
  rows.push(['Largest difference', '', `${(apart * 100).toFixed(1)} points`]);
  return rows;
}

function topTwo(fer: FerEdge, probabilities: number[]): string {
  const said = topK(probabilities, 2).map(
    (i) => `${fer.manifest.emotions[i]} ${(probabilities[i]! * 100).toFixed(1)}%`,
  );
  return said.join(', ');
}
