// What the bench uses of the peer, whose own types want packages that are not here.
declare module '@vladmandic/face-api/dist/face-api.esm.js' {
  interface Net {
    loadFromUri(folder: string): Promise<void>;
  }
  interface Detecting extends Promise<object | undefined> {
    withFaceExpressions(): Promise<unknown>;
  }
  export const tf: {
    setWasmPaths(paths: Record<string, string>): void;
    setBackend(name: string): Promise<boolean>;
    ready(): Promise<void>;
  };
  export const nets: {
    faceExpressionNet: Net & { predictExpressions(face: unknown): Promise<unknown> };
    tinyFaceDetector: Net;
  };
  export class TinyFaceDetectorOptions {}
  export function detectSingleFace(image: HTMLImageElement, options: object): Detecting;
  export function extractFaces(image: HTMLImageElement, found: object[]): Promise<unknown[]>;
}
