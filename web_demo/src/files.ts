// Fetches a page's own files, and checks a model's against its manifest before anything opens them.

import { ContractError, type FileRecord } from './contract';

/** A file cannot be had, or is not what it should be; the message is for people. */
export class FileError extends Error {}

/**
 * Returns a file's bytes.
 *
 * @param cache - By default the server is asked whether the browser's copy is still the file: plain
 *   servers name no age, and browsers then guess one.
 */
export async function fetchBytes(url: string, cache: RequestCache = 'no-cache'): Promise<ArrayBuffer> {
  const name = new URL(url, document.baseURI).pathname.split('/').pop();
  const response = await fetch(url, { credentials: 'same-origin', cache }).catch((error: unknown) => {
    throw new FileError(`${name} cannot be loaded: ${String(error)}. Is the server still there?`);
  });
  if (!response.ok) {
    throw new FileError(`${name} is missing: the server answered ${response.status} for ${url}.`);
  }
  return response.arrayBuffer();
}

/** Returns a model's file as its manifest records it. */
export async function fetchChecked(url: string, name: string, record?: FileRecord): Promise<ArrayBuffer> {
  const fetched = async (cache?: RequestCache): Promise<ArrayBuffer> => {
    const bytes = await fetchBytes(url + name, cache);
    await checkFile(name, bytes, record);
    return bytes;
  };
  try {
    return await fetched();
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    // Servers that compare dates call a copy current where the new file is older.
    return fetched('reload');
  }
}

/** Says which of some files a server does not give, for programs that do not say why they fail. */
export async function whatIsMissing(urls: readonly string[]): Promise<string | null> {
  for (const url of urls) {
    const name = url.split('/').pop();
    const answer = await fetch(url, { cache: 'no-cache' }).catch(() => null);
    void answer?.body?.cancel();
    if (!answer) return `${name} cannot be loaded from ${url}. Is the server still there?`;
    if (!answer.ok) return `${name} is missing: the server answered ${answer.status} for ${url}.`;
  }
  return null;
}

/** Returns the folder of an address, with its slash. */
export function folderOf(url: string): string {
  const { origin, pathname } = new URL(url, document.baseURI);
  return origin + pathname.replace(/\/?$/, '/');
}

/** Returns a JSON file, parsed; all of it is fetched, for it is what other files are held to. */
export async function fetchJson(url: string): Promise<unknown> {
  const text = new TextDecoder().decode(await fetchBytes(url, 'reload'));
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ContractError(`${url} is no JSON. Copy the page's files again.`);
  }
}

/** Throws where a file is not the one that the manifest records. */
export async function checkFile(name: string, bytes: ArrayBuffer, record?: FileRecord): Promise<void> {
  if (!record) throw new ContractError(`The manifest does not know ${name}. Export the model again.`);
  if (bytes.byteLength !== record.bytes) {
    throw new FileError(
      `${name} is damaged: expected ${record.bytes} bytes, found ${bytes.byteLength}. ` +
        'Reload the page; if it is yours, copy its files again.',
    );
  }
  const found = await sha256(bytes);
  if (found !== null && found !== record.sha256) {
    throw new FileError(`${name} is not the file that the manifest records: its SHA-256 differs.`);
  }
}

/** Returns the hash in hex, or null off HTTPS and loopback, where browsers do not give it. */
async function sha256(bytes: ArrayBuffer): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
