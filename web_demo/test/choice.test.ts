import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { keepChoice, keptChoice } from '../src/page/choice';

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('navigator', { userAgent: 'browser 1' });
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
});
afterEach(() => vi.unstubAllGlobals());

test('an engine is kept for the next visit', () => {
  expect(keptChoice()).toBeNull();
  keepChoice('tfjs-webgl');
  expect(keptChoice()).toBe('tfjs-webgl');
});

test('another browser, or a newer one, measures anew', () => {
  keepChoice('tfjs-webgl');
  vi.stubGlobal('navigator', { userAgent: 'browser 2' });
  expect(keptChoice()).toBeNull();
});

test.each([['["abacus","browser 1"]'], ['no JSON'], ['null'], ['{}']])('%s is no choice', (text) => {
  localStorage.setItem('fer-edge.engine', text);
  expect(keptChoice()).toBeNull();
});

test('where storage is off nothing is kept, and nothing breaks', () => {
  vi.stubGlobal('localStorage', undefined);
  keepChoice('tfjs-webgl');
  expect(keptChoice()).toBeNull();
});
