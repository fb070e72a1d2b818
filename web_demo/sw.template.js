// Keeps the page's files, so that it works with the network off. The build writes the next line:
// each file and the start of its SHA-256; `fer-edge export --web` writes it again for its model.
const FILES = {};

const SCOPE = self.registration.scope;
const PATIENCE_MS = 4000; // for the network, where there is a kept file
const NAMED_BY_CONTENT = /^(assets|litert)\//; // these never change under their name
const ON_DEMAND = /^(assets|litert)\/|^model\/int8\.tflite$|^licenses\.txt$|^fer-edge\.js$/;
const cacheName = digest(JSON.stringify(FILES)).then((hash) => `fer-edge ${SCOPE} ${hash}`);

self.addEventListener('install', () => self.skipWaiting());

self.addEventListener('activate', (event) => {
  event.waitUntil(
    cacheName.then(async (current) => {
      const own = (await caches.keys()).filter((name) => name.startsWith(`fer-edge ${SCOPE} `));
      await Promise.all(own.map((name) => name !== current && caches.delete(name)));
      await self.clients.claim();
    }),
  );
});

// The page says what it loaded before this was here. It is kept from the browser's own cache, as is
// the rest of the list, so that little is loaded twice.
self.addEventListener('message', (event) => {
  const loaded = event.data.map(nameOf).filter((name) => name !== null);
  const names = [...new Set([...Object.keys(FILES), ...loaded])];
  const kept = Promise.allSettled(names.map(keep));
  event.waitUntil(kept.finally(() => event.ports[0].postMessage('kept')));
});

self.addEventListener('fetch', (event) => {
  const name = event.request.method === 'GET' ? nameOf(event.request.url) : null;
  if (name !== null) event.respondWith(answer(event.request, name));
});

/** Returns the path of a file that is ours, or null: others on this origin are left alone. */
function nameOf(url) {
  const path = url.split(/[?#]/)[0];
  if (!path.startsWith(SCOPE)) return null;
  const name = path.slice(SCOPE.length) || 'index.html';
  return name in FILES || ON_DEMAND.test(name) ? name : null;
}

async function keep(name) {
  const cache = await caches.open(await cacheName);
  if (await cache.match(SCOPE + name)) return;
  const mode = NAMED_BY_CONTENT.test(name) ? 'force-cache' : 'no-cache';
  const response = await fetch(name === 'index.html' ? SCOPE : SCOPE + name, { cache: mode });
  await store(cache, name, response);
}

/** What may have changed comes from the network while that answers; the rest from what is kept. */
async function answer(request, name) {
  const cache = await caches.open(await cacheName).catch(() => null); // storage may be off
  const kept = cache ? await cache.match(SCOPE + name).catch(() => undefined) : undefined;
  if (kept && NAMED_BY_CONTENT.test(name)) return kept;
  try {
    // Plain servers name no age, and browsers then guess one: what may have changed is asked for.
    const guesses = request.cache === 'default' && !NAMED_BY_CONTENT.test(name);
    const asked = fetch(request, guesses ? { cache: 'no-cache' } : {});
    const response = await (kept ? inTime(asked) : asked);
    if (cache) await store(cache, name, response.clone()).catch(() => undefined); // it may be full
    return response;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

async function store(cache, name, response) {
  if (response.status === 200 && response.type === 'basic') await cache.put(SCOPE + name, response);
}

function inTime(response) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('the network is too slow')), PATIENCE_MS);
    response.then(resolve, reject);
  });
}

async function digest(text) {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes, 0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
