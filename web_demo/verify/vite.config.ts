import { cpSync } from 'node:fs';
import { resolve } from 'node:path';

import { defineConfig } from 'vite';

const OUT = resolve(import.meta.dirname, '../dist/verify');
const LITERT = resolve(import.meta.dirname, '../node_modules/@litertjs/core/wasm');

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  build: { outDir: OUT, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  plugins: [
    {
      name: 'copy-litert',
      // LiteRT.js loads its program by address; the threaded and JSPI ones are not used here.
      closeBundle: () => {
        for (const kind of ['internal', 'compat_internal']) {
          for (const end of ['js', 'wasm']) {
            cpSync(`${LITERT}/litert_wasm_${kind}.${end}`, `${OUT}/litert/litert_wasm_${kind}.${end}`);
          }
        }
      },
    },
  ],
});
