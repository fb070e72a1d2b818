// Fetches a page's own files, and checks a model's against its manifest before anything opens them.

import { ContractError, type FileRecord } from './contract';

/** A file cannot be had, or is not what it should be; the message is for people. */
export class FileError extends Error {}

/** Returns a file's bytes. */
export async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const name = new URL(url, location.href).pathname.split('/').pop();
  const response = await fetch(url, { credentials: 'same-origin' }).catch((error: unknown) => {
    throw new FileError(`${name} cannot be loaded: ${String(error)}. Is the server still there?`);
  });
  if (!response.ok) {
    throw new FileError(`${name} is missing: the server answered ${response.status} for ${url}.`);
  }
  return response.arrayBuffer();
}

/** Returns a JSON file, parsed. */
export async function fetchJson(url: string): Promise<unknown> {
  const text = new TextDecoder().decode(await fetchBytes(url));
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
