import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { ContractError, readManifest } from '../src/contract';
import { checkFile } from '../src/files';

const shipped = (model: string) =>
  JSON.parse(
    readFileSync(new URL(`../../fer_edge/models/${model}/manifest.json`, import.meta.url), 'utf8'),
  ) as Record<string, Record<string, never>>;

test.each(['small', 'base', 'base-ferplus'])('the manifest of %s is understood', (model) => {
  const found = shipped(model);
  const manifest = readManifest(found);
  expect(manifest.name).toBe(model);
  expect(manifest.emotions).toEqual(found['emotions']);
  expect(manifest.threshold).toBe(found['confidence']!['unsure_below']);
  expect(manifest.top1?.value).toBe(found['scores']!['int8']!['top1']!['value']);
  expect(manifest.files['int8.tflite']?.bytes).toBeGreaterThan(1000);
});

test('without scores and a threshold it is still a manifest', () => {
  expect(readManifest({ emotions: ['a', 'b'] })).toMatchObject({ threshold: null, top1: null, files: {} });
});

test.each([[null], [[]], ['text'], [{}], [{ emotions: [1, 2] }], [{ emotions: ['one'] }]])(
  '%j is refused',
  (found) => {
    expect(() => readManifest(found)).toThrow(ContractError);
  },
);

const bytes = new TextEncoder().encode('abc').buffer as ArrayBuffer;
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'; // FIPS 180-2

test('a file that is as recorded passes', async () => {
  await expect(checkFile('f', bytes, { bytes: 3, sha256: ABC })).resolves.toBeUndefined();
});

test.each([
  ['is damaged', { bytes: 4, sha256: ABC }],
  ['SHA-256 differs', { bytes: 3, sha256: ABC.replace('b', 'c') }],
  ['does not know f', undefined],
])('one that is not: %s', async (message, record) => {
  await expect(checkFile('f', bytes, record)).rejects.toThrow(message);
});
