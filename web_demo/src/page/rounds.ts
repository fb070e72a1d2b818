// Something done over and over while the page stays alive: engines on the CPU answer without ever
// letting the browser paint or hear a click.

const HIDDEN_MS = 100; // tabs that nobody sees paint no frame

/** Lets the browser paint, and hear what people do. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, HIDDEN_MS);
    requestAnimationFrame(() => setTimeout(resolve));
  });
}

/**
 * Does rounds until there were so many, they took so long or one says that it is enough.
 *
 * @param round - Says whether another is wanted; it is always asked once.
 */
export async function inRounds(most: number, limitMs: number, round: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  for (let i = 0; i < most; i++) {
    await breathe();
    if (!(await round()) || performance.now() - start > limitMs) return;
  }
}
