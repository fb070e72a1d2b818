// Makes the page work without a network: a service worker keeps its files.

/** Installs the service worker where browsers allow it: HTTPS or loopback. */
export async function offerOffline(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register('./sw.js');
    const { active } = await navigator.serviceWorker.ready;
    if (active) await keepLoaded(active);
    document.documentElement.dataset['offline'] = 'ready';
    navigator.serviceWorker.addEventListener('controllerchange', () => {
      const { controller } = navigator.serviceWorker;
      if (controller) void keepLoaded(controller); // a newer one, which starts with nothing
    });
  } catch (error) {
    console.info(`The page will need the network next time: ${String(error)}`);
  }
}

/** Has the worker keep the page's files, and of the others those that this device loaded. */
function keepLoaded(worker: ServiceWorker): Promise<unknown> {
  const { port1, port2 } = new MessageChannel();
  const kept = new Promise((resolve) => (port1.onmessage = resolve));
  const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
  worker.postMessage(loaded, [port2]);
  return kept;
}
