// Images that people choose or drop: decoded, bounded, or refused in words.

import { MAX_PIXELS, PictureError } from '../picture';

const MAX_BYTES = 64 * 2 ** 20;

/** Returns an image's pixels, turned as its EXIF data says. */
export async function decode(file: Blob): Promise<ImageBitmap> {
  if (file.size > MAX_BYTES) {
    throw new PictureError(`This file has ${mebibytes(file.size)} MiB. Expected up to 64.`);
  }
  // As OpenCV decodes: without the colour profile.
  const options = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' } as const;
  const whole = await createImageBitmap(file, options).catch(() => {
    throw new PictureError(
      'This is no picture that the browser can read. Expected JPEG, PNG, WebP, GIF or AVIF.',
    );
  });
  return smaller(whole);
}

/** Shrinks what is too large for a phone's canvas. */
async function smaller(whole: ImageBitmap): Promise<ImageBitmap> {
  const scale = Math.sqrt(MAX_PIXELS / (whole.width * whole.height));
  if (scale >= 1) return whole;
  const size = {
    resizeWidth: Math.floor(whole.width * scale),
    resizeHeight: Math.floor(whole.height * scale),
    resizeQuality: 'high',
  } as const;
  const small = await createImageBitmap(whole, size);
  whole.close();
  return small;
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
