// How a model's files are asked for: anew, since what a browser kept may be another model's.

import { createHash } from 'node:crypto';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { fetchBytes, fetchChecked, fetchJson, folderOf, whatIsMissing } from '../src/files';

const BASE = 'https://a.host/page/';
const asked: [string, RequestCache | undefined][] = [];
let answers: (cache?: RequestCache) => Response;

beforeEach(() => {
  asked.length = 0;
  answers = () => new Response('now');
  vi.stubGlobal('document', { baseURI: BASE });
  vi.stubGlobal('fetch', async (url: string, { cache }: RequestInit) => {
    asked.push([url, cache]);
    return answers(cache);
  });
});
afterEach(() => vi.unstubAllGlobals());

function recordOf(text: string) {
  return { bytes: text.length, sha256: createHash('sha256').update(text).digest('hex') };
}

test('a server is asked whether a copy is still the file; a manifest is fetched whole', async () => {
  await fetchBytes(`${BASE}a.bin`);
  answers = () => new Response('{}');
  await fetchJson(`${BASE}manifest.json`);
  expect(asked.map(([, cache]) => cache)).toEqual(['no-cache', 'reload']);
});

test('a copy that is not what the manifest records is fetched again', async () => {
  answers = (cache) => new Response(cache === 'reload' ? 'new' : 'old');
  const bytes = await fetchChecked(BASE, 'a.bin', recordOf('new'));
  expect(new TextDecoder().decode(bytes)).toBe('new');
  expect(asked).toHaveLength(2);
});

test('and if that is no better, it is said', async () => {
  answers = () => new Response('old');
  await expect(fetchChecked(BASE, 'a.bin', recordOf('new'))).rejects.toThrow('SHA-256 differs');
});

test('a file that the manifest does not know is not asked for twice', async () => {
  await expect(fetchChecked(BASE, 'a.bin', undefined)).rejects.toThrow('does not know a.bin');
  expect(asked).toHaveLength(1);
});

test.each([
  ['./model', `${BASE}model/`],
  ['./model/', `${BASE}model/`],
  ['/model?v=2', 'https://a.host/model/'],
  ['https://b.host/x', 'https://b.host/x/'],
])('the folder of %s is %s', (url, folder) => {
  expect(folderOf(url)).toBe(folder);
});

test('of some files the one that is missing is named', async () => {
  expect(await whatIsMissing([`${BASE}a`, `${BASE}b`])).toBeNull();
  answers = () => new Response('', { status: 404 });
  expect(await whatIsMissing([`${BASE}x/a.wasm`])).toContain('a.wasm is missing: the server answered 404');
  answers = () => {
    throw new TypeError('no network');
  };
  expect(await whatIsMissing([`${BASE}x/a.wasm`])).toContain('a.wasm cannot be loaded');
});
