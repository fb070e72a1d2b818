// Runs a model over faces in an engine, and posts the answers to the page's own server.
//   index.html?engine=tfjs-wasm|tfjs-cpu|litert&model=URL&faces=URL&result=URL
// The faces are uint8 (n, 48, 48). Posted: {answers: (n, k)} or {error: text}.

import { openEngine, SIDE, type EngineName } from './engines';

async function run(query: URLSearchParams): Promise<number[][]> {
  const classify = await openEngine(asEngine(query.get('engine')), asked(query, 'model'));
  const response = await fetch(asked(query, 'faces'));
  if (!response.ok) throw new Error(`the faces: HTTP ${response.status}`);
  const pixels = new Uint8Array(await response.arrayBuffer());
  const answers = [];
  for (let start = 0; start < pixels.length; start += SIDE * SIDE) {
    answers.push(await classify(pixels.subarray(start, start + SIDE * SIDE)));
  }
  return answers;
}

function asked(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw new Error(`expected ?${name}=… in the address`);
  return value;
}

function asEngine(name: string | null): EngineName {
  if (name === 'tfjs-wasm' || name === 'tfjs-cpu' || name === 'litert') return name;
  throw new Error(`expected the engine tfjs-wasm, tfjs-cpu or litert, found ${name}`);
}

const query = new URLSearchParams(location.search);
const outcome = await run(query).then(
  (answers) => ({ answers }),
  (error: unknown) => ({ error: String(error) }),
);
await fetch(asked(query, 'result'), { method: 'POST', body: JSON.stringify(outcome) });
document.getElementById('state')!.textContent = 'error' in outcome ? outcome.error : 'Done.';
