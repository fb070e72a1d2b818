// What a static host has of index.html: it sends no headers, so that the page's own policy counts.

import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

const html = readFileSync(new URL('../index.html', import.meta.url), 'utf8');

test('the page allows itself, WebAssembly and its own blobs, and nothing else', () => {
  const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(html)![1]!;
  const rules = Object.fromEntries(
    policy.split(';').map((rule) => {
      const [name, ...sources] = rule.trim().split(/\s+/);
      return [name, sources.join(' ')];
    }),
  );
  expect(rules).toEqual({
    'default-src': "'self'",
    'script-src': "'self' 'wasm-unsafe-eval'",
    'img-src': "'self' blob: data:",
    'media-src': "'self' blob:",
    'worker-src': "'self' blob:",
    'object-src': "'none'",
    'base-uri': "'none'",
    'form-action': "'none'",
  });
  const where = html.indexOf('Content-Security-Policy');
  expect(html.slice(0, where)).not.toMatch(/<(script|link|style|img)\b/); // it counts from there on
});

test('nothing is inline and everything is relative', () => {
  expect(html).not.toMatch(/<style|\son\w+=|javascript:/);
  const scripts = [...html.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)];
  expect(scripts.length).toBeGreaterThan(1);
  for (const [, attributes, text] of scripts) expect([attributes, text]).toEqual([expect.stringContaining('src="./'), '']);
  for (const [, address] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(address).toMatch(/^\.\//);
});

test('with JavaScript off it says so', () => {
  expect(html).toMatch(/<noscript>.*JavaScript.*<\/noscript>/);
});

test('the icons are there in the sizes that the manifest says', () => {
  const read = (name: string) => readFileSync(new URL(`../public/${name}`, import.meta.url));
  const { icons } = JSON.parse(read('manifest.webmanifest').toString()) as {
    icons: { src: string; sizes: string; purpose: string }[];
  };
  const pngs = icons.filter(({ src }) => src.endsWith('.png'));
  for (const { src, sizes } of pngs) {
    const png = read(src);
    expect(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`).toBe(sizes);
  }
  expect(pngs.map(({ sizes, purpose }) => `${purpose} ${sizes}`)).toEqual([
    'any 192x192',
    'any 512x512',
    'maskable 512x512',
  ]);
  expect(read('icon-180.png').readUInt32BE(16)).toBe(180);
});
