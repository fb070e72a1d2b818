// A canvas for tests without a browser: whatever is drawn, its pixels are gray.

import { vi } from 'vitest';

/** Makes the globals that the library looks at; returns how often pixels were taken. */
export function stubCanvas(): { taken: number } {
  const count = { taken: 0 };
  class Nothing {}
  vi.stubGlobal('HTMLVideoElement', Nothing);
  vi.stubGlobal('HTMLImageElement', Nothing);
  vi.stubGlobal('document', { baseURI: 'https://a.host/page/', createElement: () => canvas(count) });
  return count;
}

function canvas(count: { taken: number }): object {
  const own = { width: 0, height: 0, getContext: () => context };
  const context = {
    canvas: own,
    drawImage: () => undefined,
    getImageData: (_x: number, _y: number, width: number, height: number) => {
      count.taken++;
      return { width, height, data: new Uint8ClampedArray(width * height * 4).fill(128) };
    },
  };
  return own;
}

/** A source of a size, as a bitmap has it. */
export function sized(width: number, height: number): ImageBitmap {
  return { width, height } as ImageBitmap;
}
