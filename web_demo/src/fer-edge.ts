// The library: a folder that `fer-edge export --web` wrote, in; faces and their expressions, out.
//
//   import { load } from './fer-edge.js';
//   const fer = await load('./model/');
//   const answer = await fer.classify(document.querySelector('img'));
//   console.log(answer.emotion, answer.probability, answer.unsure);
//   fer.dispose();

import type { io } from '@tensorflow/tfjs-core';

import { answerOf, type Answer } from './answers';
import type { Face } from './blazeface';
import { readManifest, SIDE, type Manifest } from './contract';
import type { Box } from './crop';
import { openDetector, type Detector } from './detector';
import { EngineError, type Classifier, type EngineName } from './engines/engine';
import { openLiteRt } from './engines/litert';
import {
  lossText,
  onLost,
  openClassifier,
  readGraph,
  startBackend,
  tensorCount,
  type Backend,
} from './engines/tfjs';
import { checkFile, fetchBytes, fetchJson } from './files';
import { Picture, PictureError, type Source } from './picture';

export { ENGINES, EngineError, TITLES, type EngineName } from './engines/engine';
export { ContractError, type Manifest } from './contract';
export { FileError } from './files';
export { PictureError, type Answer, type Box, type Face, type Source };

export interface FaceAnswer {
  /** The contract's square, in pixels of the picture; it may leave it. */
  box: Face;
  answer: Answer;
}

/** What a reading took, in milliseconds. */
export interface Times {
  detectMs: number;
  classifyMs: number;
}

export interface Options {
  /** Folder of the detector, with a slash behind; null to go without. */
  detector?: string | null;
  /** Folder of LiteRT.js's programs, with a slash behind. */
  litert?: string;
  /** What to start on; where it cannot, the next in line does. */
  engine?: EngineName;
  /** Told when an engine gave up and another has taken over. */
  onFallback?: (from: EngineName, to: EngineName, why: string) => void;
}

const TFJS = 'tfjs/model.json';
const INT8 = 'int8.tflite';
const FALLBACKS: EngineName[] = ['tfjs-wasm', 'tfjs-webgl', 'tfjs-cpu'];
// The page's folder: the build puts this module into its assets/.
const HOME = new URL(/* @vite-ignore */ '../', import.meta.url).href;

/**
 * Loads a model: the folder's manifest, its TensorFlow.js graph, and the face detector.
 *
 * @param url - Folder with manifest.json, tfjs/ and int8.tflite, with a slash behind.
 * @throws FileError | ContractError | EngineError with a message for people.
 */
export async function load(url: string, options: Options = {}): Promise<FerEdge> {
  const base = new URL(url, document.baseURI).href;
  const manifest = readManifest(await fetchJson(`${base}manifest.json`));
  const read = async (name: string): Promise<ArrayBuffer> => {
    const bytes = await fetchBytes(base + name);
    await checkFile(name, bytes, manifest.files[name]);
    return bytes;
  };
  const finder = options.detector === undefined ? `${HOME}detector/` : options.detector;
  const [graph, detector] = await Promise.all([
    readGraph(read, TFJS),
    finder === null ? null : readGraph((name) => fetchBytes(finder + name), 'blazeface.json'),
  ]);
  const fer = new FerEdge(manifest, read, graph, detector, options);
  await fer.use(options.engine ?? 'tfjs-wasm');
  return fer;
}

/** A model that is ready to read faces. What it is asked it does one after the other. */
export class FerEdge {
  private engineName: EngineName = 'tfjs-wasm';
  private backend: Backend | null = null;
  private classifier: Classifier | null = null;
  private detector: Detector | null = null;
  private int8: Uint8Array | null = null;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly picture = new Picture();
  private readonly forgetLoss = onLost((backend) => void this.recover(backend));

  /** @internal Made by `load`. */
  constructor(
    readonly manifest: Manifest,
    private readonly read: (name: string) => Promise<ArrayBuffer>,
    private readonly graph: io.ModelArtifacts,
    private readonly finder: io.ModelArtifacts | null,
    private readonly options: Options,
  ) {}

  /** What classifies now. */
  get engine(): EngineName {
    return this.engineName;
  }

  /** How many tensors TensorFlow.js holds: the same after each reading. */
  get tensors(): number {
    return tensorCount();
  }

  /** Goes over to an engine; where it cannot start, to the next in line. */
  use(engine: EngineName): Promise<void> {
    return this.alone(() => this.change(engine));
  }

  /** Returns the faces in a picture from left to right, without reading them. */
  detect(source: Source): Promise<Face[]> {
    return this.alone(async () => {
      this.picture.draw(source);
      return this.working(this.detector).detect(this.picture);
    });
  }

  /** Returns what a face shows; without a box the middle of the picture is taken for one. */
  classify(source: Source, box?: Box): Promise<Answer> {
    return this.alone(async () => {
      this.picture.draw(source);
      return this.answer(box ?? this.picture.middle());
    });
  }

  /** Finds and reads the faces in a picture, from left to right, and says what that took. */
  readFaces(source: Source): Promise<{ faces: FaceAnswer[]; times: Times }> {
    return this.alone(async () => {
      this.picture.draw(source);
      const start = performance.now();
      const boxes = await this.working(this.detector).detect(this.picture);
      const found = performance.now();
      const faces: FaceAnswer[] = [];
      for (const box of boxes) faces.push({ box, answer: await this.answer(box) });
      const classifyMs = (performance.now() - found) / Math.max(1, boxes.length);
      return { faces, times: { detectMs: found - start, classifyMs } };
    });
  }

  /** Returns probabilities of a face that is cropped already, uint8 (48, 48), row by row. */
  classifyCrop(face: Uint8Array): Promise<number[]> {
    return this.alone(() => this.working(this.classifier).classify(face));
  }

  /** Frees the models; this one answers no more. */
  dispose(): void {
    this.forgetLoss();
    void this.alone(async () => {
      this.close();
      this.backend = null;
    });
  }

  /** Runs one thing at a time. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async answer(box: Box): Promise<Answer> {
    const { emotions, threshold } = this.manifest;
    const face = this.picture.face(box);
    return answerOf(await this.working(this.classifier).classify(face), emotions, threshold);
  }

  /** Returns a part that works, or says why there is none. */
  private working<T>(part: T | null): T {
    if (part) return part;
    throw new EngineError(
      this.backend === null
        ? 'No engine runs: this model was disposed of, or none could start. Load it again.'
        : 'This model was loaded without a face detector: pass a box to classify.',
    );
  }

  private async change(engine: EngineName): Promise<void> {
    const line = [engine, ...FALLBACKS.filter((other) => other !== engine)];
    const troubles: string[] = [];
    for (const name of line) {
      try {
        await this.start(name);
        if (name !== engine) this.options.onFallback?.(engine, name, troubles.join(' '));
        return;
      } catch (error) {
        troubles.push(messageOf(error));
      }
    }
    this.close();
    this.backend = null;
    throw new EngineError(`No engine starts in this browser. ${troubles.join(' ')}`);
  }

  private async start(engine: EngineName): Promise<void> {
    const backend = backendOf(engine) ?? this.backend ?? 'wasm';
    if (backend !== this.backend) await this.moveTo(backend);
    const classifier =
      engine === 'litert' ? await this.openInt8() : await openClassifier(this.graph);
    await classifier.classify(new Uint8Array(SIDE * SIDE)); // compiles, and shows that it runs
    this.classifier?.dispose();
    this.classifier = classifier;
    this.engineName = engine;
  }

  /** Makes TensorFlow.js run elsewhere, the detector with it. */
  private async moveTo(backend: Backend): Promise<void> {
    this.close();
    this.backend = null;
    await startBackend(backend);
    if (this.finder) {
      this.detector = await openDetector(this.finder);
      await this.detector.detect(new Picture());
    }
    this.backend = backend;
  }

  private async openInt8(): Promise<Classifier> {
    this.int8 ??= new Uint8Array(await this.read(INT8));
    return openLiteRt(this.int8.slice(), this.options.litert ?? `${HOME}litert/`);
  }

  /** A GPU is gone: goes on without it, with the same engine where that ran elsewhere. */
  private recover(gone: Backend): Promise<void> {
    return this.alone(async () => {
      if (this.backend !== gone) return;
      const before = this.engineName;
      this.backend = null; // so that it starts elsewhere
      await this.change(before === 'litert' ? 'litert' : 'tfjs-wasm');
      this.options.onFallback?.(before, this.engineName, lossText(gone));
    }).catch(() => undefined); // said by the next reading
  }

  private close(): void {
    this.classifier?.dispose();
    this.detector?.dispose();
    this.classifier = this.detector = null;
  }
}

/** Returns what an error says to people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function backendOf(engine: EngineName): Backend | null {
  return engine === 'litert' ? null : (engine.slice('tfjs-'.length) as Backend);
}
