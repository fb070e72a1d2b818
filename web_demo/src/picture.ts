// One frame of whatever a page has, as pixels: drawn once, read where a face is.

import { INPUT } from './blazeface';
import { cropFace, type Box } from './crop';
import { resample, roundHalfToEven } from './resample';

export type Source =
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap;

/** Larger pictures are shrunk to it: canvases of more pixels fail on phones. */
export const MAX_PIXELS = 16e6;

/** A picture cannot be read; the message is for people. */
export class PictureError extends Error {}

/** A picture as the detector looks at it, and how far it shrank from its source. */
interface ForDetector {
  rgb: Uint8Array;
  width: number;
  height: number;
  scale: number;
}

/** Holds the last frame that it was given; keep one, it reuses its canvas. */
export class Picture {
  private readonly canvas = drawingCanvas();
  private pixels: ImageData | null = null;
  private small: ForDetector | null = null;

  /** Pixels of this picture that one of the source's is wide: 1, or less for a huge source. */
  shrink = 1;

  /** Takes a frame. */
  draw(source: Source): void {
    const [width, height] = sizeOf(checkSource(source));
    if (!(width > 0 && height > 0)) {
      throw new PictureError('The picture has no pixels: it is empty, broken or not loaded yet.');
    }
    this.shrink = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
    const { canvas } = this.canvas;
    const [w, h] = [Math.round(width * this.shrink) || 1, Math.round(height * this.shrink) || 1];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    this.canvas.globalCompositeOperation = 'copy'; // nothing of the last frame shows through
    this.canvas.drawImage(source, 0, 0, w, h);
    this.pixels = this.canvas.getImageData(0, 0, w, h);
    this.small = null;
  }

  /** Returns the face in a box (in pixels of the source), uint8 (48, 48). */
  face(box: Box): Uint8Array {
    checkBox(box);
    const k = this.shrink;
    const own = { x: box.x * k, y: box.y * k, width: box.width * k, height: box.height * k };
    return cropFace(this.whole(), own);
  }

  /** Returns the largest square in the middle: for pictures that are faces already. */
  middle(): Box {
    const { width, height } = this.whole();
    const side = Math.min(width, height);
    const [x, y] = [(width - side) / 2, (height - side) / 2];
    const k = this.shrink;
    return { x: x / k, y: y / k, width: side / k, height: side / k };
  }

  /** Returns the whole at up to 256 x 256, RGB; made once a frame, for it is work in a large one. */
  forDetector(): ForDetector {
    return (this.small ??= this.shrunk());
  }

  private shrunk(): ForDetector {
    const { data, width, height } = this.whole();
    const scale = INPUT / Math.max(width, height);
    const [w, h] = [width, height].map((side) => Math.max(1, roundHalfToEven(side * scale)));
    const rgb = resample({ values: data, width, height, channels: 4 }, w!, h!, 3);
    return { rgb, width: w!, height: h!, scale: scale * this.shrink };
  }

  private whole(): ImageData {
    return this.pixels ?? this.canvas.getImageData(0, 0, 1, 1);
  }
}

function checkSource(source: Source): Source {
  if (typeof source === 'object' && source !== null && sizeOf(source).every(Number.isFinite)) {
    return source;
  }
  throw new PictureError(`Expected an image, video, canvas or bitmap, found ${String(source)}.`);
}

function checkBox({ x, y, width, height }: Box): void {
  if ([x, y, width, height].every(Number.isFinite) && width > 0 && height > 0) return;
  throw new PictureError(
    'Expected a box of finite x and y with a width and height over 0 pixels, ' +
      `found ${[x, y, width, height].join(', ')}.`,
  );
}

function sizeOf(source: Source): [number, number] {
  if (source instanceof HTMLVideoElement) return [source.videoWidth, source.videoHeight];
  if (source instanceof HTMLImageElement) return [source.naturalWidth, source.naturalHeight];
  return [source.width, source.height];
}

function drawingCanvas(): CanvasRenderingContext2D {
  const canvas = document.createElement('canvas');
  const drawn = canvas.getContext('2d', { willReadFrequently: true });
  if (!drawn) throw new PictureError('This browser gives no 2D canvas.');
  return drawn;
}
