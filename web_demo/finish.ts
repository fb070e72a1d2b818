// What the build adds to Vite's: the model, the detector, LiteRT.js's programs, the service worker
// with the list of what it keeps, and the licences of everything that is in the page.

import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import type { Plugin } from 'vite';

const DETECTOR = '@vladmandic/human';
const LITERT = '@litertjs/core';
const SHIPPED = [
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-converter',
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-backend-webgl',
  '@tensorflow/tfjs-backend-webgpu',
  '@tensorflow/tfjs-backend-cpu',
  LITERT,
  DETECTOR,
];
const APACHE = 'typescript/LICENSE'; // for packages under it that bring no text of their own
// Kept when they are first used; the others from the first visit on.
const LATER =
  /^(verify|litert)\/|wasm-[^/]*\.wasm$|^model\/int8\.tflite$|^(sw|fer-edge)\.js$|^licenses\.txt$|^icon-.*\.png$/;

/** Completes dist/ after Vite has written it. */
export function finish(here: string, out: string): Plugin {
  return {
    name: 'fer-edge-finish',
    closeBundle: () => {
      copyDetector(here, out);
      copyLiteRt(here, out);
      copyModel(here, out);
      writeFileSync(join(out, 'licenses.txt'), licences(here));
      writeFileSync(join(out, 'sw.js'), serviceWorker(here, out));
    },
  };
}

function copyModel(here: string, out: string): void {
  if (!existsSync(join(here, 'model', 'manifest.json'))) {
    throw new Error('There is no model. Write it with: python scripts/web_model.py');
  }
  cpSync(join(here, 'model'), join(out, 'model'), { recursive: true });
}

function copyDetector(here: string, out: string): void {
  mkdirSync(join(out, 'detector'), { recursive: true });
  for (const name of ['blazeface.json', 'blazeface.bin']) {
    cpSync(join(here, 'node_modules', DETECTOR, 'models', name), join(out, 'detector', name));
  }
}

/** LiteRT.js loads its program by address; the threaded and JSPI ones are not used here. */
function copyLiteRt(here: string, out: string): void {
  mkdirSync(join(out, 'litert'), { recursive: true });
  for (const kind of ['internal', 'compat_internal']) {
    for (const end of ['js', 'wasm']) {
      const name = `litert_wasm_${kind}.${end}`;
      cpSync(join(here, 'node_modules', LITERT, 'wasm', name), join(out, 'litert', name));
    }
  }
}

function serviceWorker(here: string, out: string): string {
  const files = Object.fromEntries(
    walk(out)
      .map((path) => relative(out, path).replaceAll('\\', '/'))
      .filter((name) => !LATER.test(name))
      .sort()
      .map((name) => [name, hashOf(join(out, name))]),
  );
  const template = readFileSync(join(here, 'sw.template.js'), 'utf8');
  return template.replace('const FILES = {};', `const FILES = ${JSON.stringify(files)};`);
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

function licences(here: string): string {
  return SHIPPED.map((name) => {
    const folder = join(here, 'node_modules', name);
    const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as About;
    const text = ['LICENSE', 'LICENSE.txt', 'LICENSE.md', 'license.md']
      .map((file) => join(folder, file))
      .find(existsSync);
    const part = name === DETECTOR ? ' (the face detector BlazeFace, by Google MediaPipe)' : '';
    const terms = readFileSync(text ?? join(here, 'node_modules', APACHE), 'utf8').trim();
    if (!text && about.license !== 'Apache-2.0') throw new Error(`${name} brings no licence text.`);
    return `${name} ${about.version}${part}\n${about.license}\n\n${terms}\n`;
  }).join(`\n${'-'.repeat(72)}\n\n`);
}

interface About {
  version: string;
  license: string;
}
