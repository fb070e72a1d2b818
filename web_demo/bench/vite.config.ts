// `npm run bench:build` writes .bench/: a page for measuring, never shipped, because it holds a peer.

import { resolve } from 'node:path';

import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  publicDir: false,
  build: {
    outDir: resolve(import.meta.dirname, '../.bench'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input: ['index', 'ours', 'peer'].map((name) => resolve(import.meta.dirname, `${name}.html`)),
    },
  },
});
