// Runs a model over faces in an engine, and posts the answers to the page's own server.
//   verify/index.html?engine=tfjs-wasm|tfjs-cpu|litert&model=URL&faces=URL&result=URL
// The faces are uint8 (n, 48, 48). Posted: {answers: (n, k)} or {error: text}.

import { SIDE } from '../src/contract';
import { ENGINES, type Classifier, type EngineName } from '../src/engines/engine';
import { openLiteRt } from '../src/engines/litert';
import { openClassifier, readGraph, startBackend, type Backend } from '../src/engines/tfjs';
import { fetchBytes } from '../src/files';

async function run(query: URLSearchParams): Promise<number[][]> {
  const engine = await open(asEngine(query.get('engine')), asked(query, 'model'));
  const pixels = new Uint8Array(await fetchBytes(asked(query, 'faces')));
  const answers = [];
  for (let start = 0; start < pixels.length; start += SIDE * SIDE) {
    answers.push(await engine.classify(pixels.subarray(start, start + SIDE * SIDE)));
  }
  return answers;
}

/** Opens a model: `model.json` of a TF.js graph model, or a `.tflite` file for LiteRT.js. */
async function open(engine: EngineName, model: string): Promise<Classifier> {
  const program = new URL('../litert/', document.baseURI).href;
  if (engine === 'litert') return openLiteRt(new Uint8Array(await fetchBytes(model)), program);
  await startBackend(engine.slice('tfjs-'.length) as Backend);
  return openClassifier(await readGraph(fetchBytes, model));
}

function asked(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw new Error(`expected ?${name}=… in the address`);
  return value;
}

function asEngine(name: string | null): EngineName {
  const engine = ENGINES.find((known) => known === name);
  if (engine) return engine;
  throw new Error(`expected the engine ${ENGINES.join(', ')}, found ${name}`);
}

const query = new URLSearchParams(location.search);
const outcome = await run(query).then(
  (answers) => ({ answers }),
  (error: unknown) => ({ error: String(error) }),
);
await fetch(asked(query, 'result'), { method: 'POST', body: JSON.stringify(outcome) });
document.getElementById('state')!.textContent = 'error' in outcome ? outcome.error : 'Done.';
