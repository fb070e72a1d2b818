// `npm run build` writes dist/: the demo, the library fer-edge.js, and verify/ for the command line.

import { resolve } from 'node:path';

import { defineConfig } from 'vite';

import { finish } from './finish.ts';

const HERE = import.meta.dirname;
const OUT = resolve(HERE, 'dist');

export default defineConfig({
  root: HERE,
  base: './',
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    rollupOptions: {
      preserveEntrySignatures: 'exports-only',
      input: {
        index: resolve(HERE, 'index.html'),
        verify: resolve(HERE, 'verify/index.html'),
        'fer-edge': resolve(HERE, 'src/fer-edge.ts'),
      },
      output: {
        entryFileNames: ({ name }) => (name === 'fer-edge' ? 'fer-edge.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  plugins: [finish(HERE, OUT)],
});
