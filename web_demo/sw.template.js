// Keeps the page's files, so that it works with the network off. The build writes the next line:
// each file and the start of its SHA-256; `fer-edge export --web` writes it again for its model.
const FILES = {};

const FIRST = Object.keys(FILES).map((name) => (name === 'index.html' ? './' : name));
const VERSION = Object.values(FILES).join('');
const cacheName = digest(VERSION).then((hash) => `fer-edge-${hash}`);

self.addEventListener('install', (event) => {
  event.waitUntil(
    cacheName
      .then((name) => caches.open(name))
      .then((cache) => cache.addAll(FIRST))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    cacheName.then(async (kept) => {
      const old = (await caches.keys()).filter((name) => name.startsWith('fer-edge-') && name !== kept);
      await Promise.all(old.map((name) => caches.delete(name)));
      await self.clients.claim();
    }),
  );
});

// The page says what it loaded before this was here; that belongs to this device, so it is kept.
self.addEventListener('message', (event) => {
  const own = event.data.filter((url) => new URL(url).origin === location.origin);
  const kept = Promise.all(own.map((url) => answer(new Request(url))));
  event.waitUntil(kept.finally(() => event.ports[0].postMessage('kept')));
});

self.addEventListener('fetch', (event) => {
  const isOwn = new URL(event.request.url).origin === location.origin;
  if (event.request.method === 'GET' && isOwn) event.respondWith(answer(event.request));
});

// What is kept is used; what is not, such as an engine that somebody picks, is kept once loaded.
async function answer(request) {
  const cache = await caches.open(await cacheName);
  const kept = await cache.match(request, { ignoreSearch: request.mode === 'navigate' });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && response.type === 'basic') await cache.put(request, response.clone());
  return response;
}

async function digest(text) {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes, 0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
