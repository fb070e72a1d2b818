// What the page says of an answer, in words: on a label, in the panel, to a screen reader.

import type { Answer } from '../answers';
import type { Manifest } from '../contract';

/** Returns an answer as people read it: `happy`, or `unsure, sad`. */
export function nameOf(answer: Answer): string {
  return answer.unsure ? `unsure, ${answer.emotion}` : answer.emotion;
}

/** Returns what stands large over the bars. */
export function headline(answer: Answer): string {
  const said = answer.unsure ? 'unsure' : answer.emotion;
  return said.charAt(0).toUpperCase() + said.slice(1);
}

/** Returns what stands beside it: how sure it is, and of whom of how many. */
export function noteOf(answer: Answer, nFaces: number): string {
  const sure = percent(answer.probability, 0);
  const said = answer.unsure ? `perhaps ${answer.emotion}, ${sure}` : sure;
  return nFaces > 1 ? `${said} · the largest of ${nFaces} faces` : said;
}

/** Returns what is said aloud: without numbers that move, so that it changes when people do. */
export function spokenOf(answer: Answer | null, nFaces: number): string {
  if (!answer) return 'No face';
  return nFaces > 1 ? `${nameOf(answer)}, the largest of ${nFaces} faces` : nameOf(answer);
}

/** Returns what the last half minute showed, from mean probabilities; '' of nothing. */
export function pastOf(means: readonly number[], emotions: readonly string[]): string {
  const order = means.map((_, i) => i).sort((a, b) => means[b]! - means[a]!);
  return order
    .slice(0, 2)
    .map((i) => `${emotions[i]} ${percent(means[i]!, 0)}`)
    .join(', ');
}

/** Says what the model is worth, and on what and in which form that was measured. */
export function scoreOf({ name, top1 }: Manifest): string {
  if (!top1) return `The model ${name} comes without a measured accuracy.`;
  const [value, low, high] = [top1.value, top1.low, top1.high].map((share) => percent(share, 1));
  return (
    `${name}: the int8 file, which LiteRT.js runs, has top-1 ${value} (95% interval ${low}–${high}) ` +
    `on the ${top1.split} split, n = ${top1.n}. TensorFlow.js runs the same network in floating point.`
  );
}

/** Returns a share from 0 to 1 as per cent. */
export function percent(share: number, digits = 2): string {
  return `${(share * 100).toFixed(digits)}%`;
}
