// The service worker, run as it is built, with a stand-in for the browser around it.

import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const SCOPE = 'https://a.host/demo/';
const TEMPLATE = readFileSync(new URL('../sw.template.js', import.meta.url), 'utf8');
const FILES = { 'index.html': '1', 'assets/a-1.js': '2', 'model/manifest.json': '3' };

type Cache = Map<string, Response>;
type Handlers = Record<string, (event: object) => void>;

let stored: Map<string, Cache>;
let asked: { url: string; cache: RequestCache | undefined }[];
let network: (url: string) => Promise<Response>;

beforeEach(() => {
  stored = new Map();
  asked = [];
  network = async (url) => basic(`network: ${url}`);
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

function basic(text: string): Response {
  return Object.defineProperty(new Response(text), 'type', { value: 'basic' });
}

/** Runs a worker with a list of files; returns what it does on an event. */
function worker(files: object): (kind: string, event?: object) => Promise<unknown> {
  const handlers: Handlers = {};
  const caches = {
    keys: async () => [...stored.keys()],
    delete: async (name: string) => stored.delete(name),
    open: async (name: string) => {
      const cache = stored.get(name) ?? new Map<string, Response>();
      stored.set(name, cache);
      return {
        match: async (url: string) => cache.get(url)?.clone(),
        put: async (url: string, response: Response) => cache.set(url, response),
      };
    },
  };
  const fetch = async (request: string | { url: string }, init: RequestInit = {}) => {
    const url = typeof request === 'string' ? request : request.url;
    asked.push({ url, cache: init.cache });
    return network(url).then((response) => Object.defineProperty(response.clone(), 'type', { value: 'basic' }));
  };
  const self = {
    registration: { scope: SCOPE },
    skipWaiting: () => undefined,
    clients: { claim: async () => undefined },
    addEventListener: (kind: string, handler: Handlers[string]) => (handlers[kind] = handler),
  };
  const code = TEMPLATE.replace('const FILES = {};', `const FILES = ${JSON.stringify(files)};`);
  runInNewContext(code, { self, caches, fetch, crypto, TextEncoder, setTimeout, URL });
  return async (kind, event = {}) => {
    const waits: Promise<unknown>[] = [];
    const wait = (promise: Promise<unknown>) => waits.push(promise);
    handlers[kind]!({ ...event, waitUntil: wait, respondWith: wait });
    return (await Promise.all(waits))[0];
  };
}

function keep(run: ReturnType<typeof worker>): Promise<unknown> {
  return run('message', { data: [], ports: [{ postMessage: () => undefined }] });
}

async function answer(run: ReturnType<typeof worker>, name: string, cache = 'default'): Promise<string> {
  const response = run('fetch', { request: { method: 'GET', url: SCOPE + name, cache } });
  const text = response.then((found) => (found as Response).text());
  await vi.advanceTimersByTimeAsync(10_000);
  return text;
}

test('what never changes under its name comes from what browsers have, the rest is asked for', async () => {
  await keep(worker(FILES));
  expect(asked).toEqual([
    { url: SCOPE, cache: 'no-cache' },
    { url: `${SCOPE}assets/a-1.js`, cache: 'force-cache' },
    { url: `${SCOPE}model/manifest.json`, cache: 'no-cache' },
  ]);
});

test('what the page asks for may have changed too, unless it says how or that cannot be', async () => {
  const run = worker(FILES);
  await answer(run, 'model/manifest.json');
  await answer(run, 'model/manifest.json', 'reload');
  await answer(run, 'assets/a-1.js');
  expect(asked.map(({ cache }) => cache)).toEqual(['no-cache', undefined, undefined]);
});

test('a new model comes from the network, a kept program from here', async () => {
  const run = worker(FILES);
  await keep(run);
  network = async () => basic('new');
  expect(await answer(run, 'model/manifest.json')).toBe('new');
  expect(await answer(run, 'assets/a-1.js')).toContain('network: ');
});

test.each([
  ['is off', async () => Promise.reject(new TypeError('off'))],
  ['says nothing', () => new Promise<Response>(() => undefined)],
])('where the network %s, what is kept answers', async (_, then) => {
  const run = worker(FILES);
  await keep(run);
  network = then;
  expect(await answer(run, 'model/manifest.json')).toBe(`network: ${SCOPE}model/manifest.json`);
});

test('the caches of earlier pages here are deleted, and no others', async () => {
  await keep(worker(FILES));
  stored.set('fer-edge https://a.host/other/ 12', new Map());
  stored.set('somebody else', new Map());
  const [old] = stored.keys();
  const next = worker({ ...FILES, 'model/manifest.json': '4' });
  await next('activate');
  await keep(next);
  const names = [...stored.keys()];
  expect(names).toHaveLength(3);
  expect(names).not.toContain(old);
  expect(names).toEqual(expect.arrayContaining(['somebody else', 'fer-edge https://a.host/other/ 12']));
});

test('what is not ours is left alone', async () => {
  const run = worker(FILES);
  expect(await run('fetch', { request: { method: 'GET', url: 'https://a.host/x.js' } })).toBeUndefined();
  expect(await run('fetch', { request: { method: 'POST', url: SCOPE } })).toBeUndefined();
});
