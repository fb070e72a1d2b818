import { expect, test } from 'vitest';

import { answerOf } from '../src/answers';
import { readManifest } from '../src/contract';
import { headline, nameOf, noteOf, pastOf, scoreOf, spokenOf } from '../src/page/words';

const EMOTIONS = ['happy', 'sad'];
const sure = answerOf([0.93, 0.07], EMOTIONS, 0.5);
const unsure = answerOf([0.45, 0.41], EMOTIONS, 0.5);

test.each([
  ['a sure answer', sure, 'happy', 'Happy', '93%', 'happy'],
  ['an unsure one', unsure, 'unsure, happy', 'Unsure', 'perhaps happy, 45%', 'unsure, happy'],
])('what is said of %s', (_, answer, name, large, note, spoken) => {
  expect(nameOf(answer)).toBe(name);
  expect(headline(answer)).toBe(large);
  expect(noteOf(answer, 1)).toBe(note);
  expect(spokenOf(answer, 1)).toBe(spoken);
});

test('of several faces it is the largest', () => {
  expect(noteOf(sure, 3)).toBe('93% · the largest of 3 faces');
  expect(spokenOf(sure, 3)).toBe('happy, the largest of 3 faces');
});

test('what is said aloud changes with the emotion, the doubt and the faces, not with the number', () => {
  const again = answerOf([0.88, 0.12], EMOTIONS, 0.5);
  expect(spokenOf(again, 1)).toBe(spokenOf(sure, 1));
  const others = [spokenOf(unsure, 1), spokenOf(sure, 2), spokenOf(null, 0), spokenOf(answerOf([0, 1], EMOTIONS, 0.5), 1)];
  expect(new Set([spokenOf(sure, 1), ...others]).size).toBe(5);
});

test('the last half minute in words', () => {
  expect(pastOf([0.1, 0.7, 0.2], ['angry', 'happy', 'sad'])).toBe('happy 70%, sad 20%');
  expect(pastOf([], EMOTIONS)).toBe('');
});

test('an accuracy says of which form of the model it is', () => {
  const top1 = { value: 0.674, low: 0.658, high: 0.689, n: 3589 };
  const measured = readManifest({ name: 'm', emotions: EMOTIONS, scores: { int8: { split: 'test', top1 } } });
  expect(scoreOf(measured)).toMatch(/^m: the int8 file, which LiteRT.js runs, has top-1 67.4% .* on the test split, n = 3589/);
  expect(scoreOf(measured)).toContain('TensorFlow.js runs the same network in floating point');
  expect(scoreOf(readManifest({ name: 'm', emotions: EMOTIONS }))).toContain('without a measured accuracy');
});
