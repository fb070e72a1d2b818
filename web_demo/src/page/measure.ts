// Which engine is fastest here: measured on this device, on the picture that is shown.

import { quantile } from '../answers';
import { messageOf, type EngineName, type FerEdge, type Picture } from '../fer-edge';
import { inRounds } from './rounds';

const ROUNDS = 6;
const WARM_UP = 2;
const ENGINE_MS = 2_000; // an engine is measured no longer
const BETTER = 0.85; // another engine must be at least this much faster than the first
const BLOCK_MS = 30; // clocks are coarse: calls are timed in blocks of so long

export interface Measured {
  engine: EngineName;
  /** Detection and one classification, the median in milliseconds. */
  ms: number;
}

/** Returns the engines that are worth trying beside WASM: those of a GPU that is no emulation. */
export async function candidates(): Promise<EngineName[]> {
  const found: EngineName[] = [];
  if (await hasWebGpu()) found.push('tfjs-webgpu');
  if (hasWebGl()) found.push('tfjs-webgl');
  return found;
}

/**
 * Goes through engines and stays on the fastest; returns what each took.
 *
 * @param isWanted - Once it says no, the engine is somebody else's to choose.
 */
export async function pickFastest(
  fer: Reader,
  engines: readonly EngineName[],
  picture: Picture,
  isWanted: () => boolean,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  let best: Measured | undefined;
  for (const engine of engines) {
    const ms = isWanted() ? await timeOf(fer, engine, picture, isWanted) : null;
    if (ms === null) continue;
    measured.push({ engine, ms });
    if (!best || ms < best.ms * BETTER) best = { engine, ms };
  }
  if (best && best.engine !== fer.engine && isWanted()) await fer.use(best.engine);
  return measured;
}

/** What is used of the library. */
export type Reader = Pick<FerEdge, 'engine' | 'use' | 'readFaces'>;

/** Returns the median of reading a picture's faces, or null where the engine does not run. */
async function timeOf(
  fer: Reader,
  engine: EngineName,
  picture: Picture,
  isWanted: () => boolean,
): Promise<number | null> {
  try {
    await fer.use(engine);
    const times: number[] = [];
    await inRounds(WARM_UP + ROUNDS, ENGINE_MS, async () => {
      if (!isWanted() || fer.engine !== engine) return false;
      const { times: took } = await fer.readFaces(picture);
      times.push(took.detectMs + took.classifyMs);
      return true;
    });
    const warm = times.length > WARM_UP ? times.slice(WARM_UP) : times.slice(-1); // of a slow one
    return warm.length > 0 && isWanted() && fer.engine === engine ? quantile(warm, 0.5) : null;
  } catch (error) {
    console.info(`${engine} is not used: ${messageOf(error)}`);
    return null;
  }
}

/** Returns the median time of one classification in milliseconds, over blocks of calls. */
export async function timeClassification(fer: FerEdge, face: Uint8Array): Promise<number> {
  const per: number[] = [];
  for (let calls = 1; per.length < 12; ) {
    const start = performance.now();
    for (let i = 0; i < calls; i++) await fer.classifyCrop(face);
    const passed = performance.now() - start;
    if (passed < BLOCK_MS) calls *= 2;
    else per.push(passed / calls);
  }
  return quantile(per.slice(2), 0.5);
}

async function hasWebGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } }).gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return !!adapter && !adapter.isFallbackAdapter && !adapter.info?.isFallbackAdapter;
}

interface Adapter {
  isFallbackAdapter?: boolean;
  info?: { isFallbackAdapter?: boolean };
}

/** An emulated GPU runs on the CPU, and slower than WASM. */
function hasWebGl(): boolean {
  const canvas = document.createElement('canvas');
  const gl = canvas.getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (!gl) return false;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return !/swiftshader|llvmpipe|software/i.test(renderer);
}
