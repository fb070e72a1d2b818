// Makes the page work without a network: a service worker keeps its files.

/** Installs the service worker where browsers allow it: HTTPS or loopback. */
export async function offerOffline(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register('./sw.js');
    const { active } = await navigator.serviceWorker.ready;
    if (active) await keepLoaded(active);
    document.documentElement.dataset['offline'] = 'ready';
  } catch (error) {
    console.info(`The page will need the network next time: ${String(error)}`);
  }
}

/** Has the worker keep what was loaded before it was there. */
function keepLoaded(worker: ServiceWorker): Promise<unknown> {
  const { port1, port2 } = new MessageChannel();
  const kept = new Promise((resolve) => (port1.onmessage = resolve));
  const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
  worker.postMessage(loaded, [port2]);
  return kept;
}
