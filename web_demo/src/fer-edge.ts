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
import { EngineError, messageOf, type Classifier, type EngineName } from './engines/engine';
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
import { fetchBytes, fetchChecked, fetchJson, folderOf } from './files';
import { Picture, PictureError, type Source } from './picture';

export { ENGINES, EngineError, TITLES, messageOf, type EngineName } from './engines/engine';
export { ContractError, type Manifest } from './contract';
export { FileError } from './files';
export { Picture, PictureError, type Answer, type Box, type Face, type Source };

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
  /** Folder of the detector; null to go without. */
  detector?: string | null;
  /** Folder of LiteRT.js's programs. */
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
 * @param url - Folder with manifest.json, tfjs/ and int8.tflite.
 * @throws FileError | ContractError | EngineError with a message for people.
 */
export async function load(url: string, options: Options = {}): Promise<FerEdge> {
  const base = folderOf(url);
  const manifest = readManifest(await fetchJson(`${base}manifest.json`));
  const read = (name: string) => fetchChecked(base, name, manifest.files[name]);
  const finder = options.detector === null ? null : folderOf(options.detector ?? `${HOME}detector/`);
  const [graph, detector] = await Promise.all([
    readGraph(read, TFJS),
    finder === null ? null : readGraph((name) => fetchBytes(finder + name), 'blazeface.json'),
  ]);
  const fer = new FerEdge(manifest, read, graph, detector, options);
  try {
    await fer.use(options.engine ?? 'tfjs-wasm');
  } catch (error) {
    fer.dispose();
    throw error;
  }
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
  detect(source: Source | Picture): Promise<Face[]> {
    return this.alone(async () => this.working(this.detector).detect(this.drawn(source)));
  }

  /** Returns what a face shows; without a box the middle of the picture is taken for one. */
  classify(source: Source | Picture, box?: Box): Promise<Answer> {
    return this.alone(async () => {
      const picture = this.drawn(source);
      return this.answer(picture, box ?? picture.middle());
    });
  }

  /** Finds and reads the faces in a picture, from left to right, and says what that took. */
  readFaces(source: Source | Picture): Promise<{ faces: FaceAnswer[]; times: Times }> {
    return this.alone(async () => {
      const picture = this.drawn(source);
      const start = performance.now();
      const boxes = await this.working(this.detector).detect(picture);
      const found = performance.now();
      const faces: FaceAnswer[] = [];
      for (const box of boxes) faces.push({ box, answer: await this.answer(picture, box) });
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

  /** Returns a source's pixels; one that is read often is drawn once, by who has it. */
  private drawn(source: Source | Picture): Picture {
    if (source instanceof Picture) return source;
    this.picture.draw(source);
    return this.picture;
  }

  private async answer(picture: Picture, box: Box): Promise<Answer> {
    const { emotions, threshold } = this.manifest;
    const face = picture.face(box);
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
    return openLiteRt(this.int8.slice(), folderOf(this.options.litert ?? `${HOME}litert/`));
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

function backendOf(engine: EngineName): Backend | null {
  return engine === 'litert' ? null : (engine.slice('tfjs-'.length) as Backend);
}
