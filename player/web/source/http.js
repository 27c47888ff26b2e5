/** Bytes and texts over HTTP: ranges, retries, and how fast they came. */

import { NetworkError } from "../codec/errors.js";

/** Milliseconds before the second, third and fourth attempt. */
const PAUSES = [300, 900, 2700];
const TIMEOUT_MS = 60000;

/** Fetches for one player. credentials: as fetch has them. onreceived(bytes, milliseconds) hears of every body, and how
 * long it took from the answer's headers to its end; onretry(error) hears of every failed attempt. */
export class Http {
  /** @param {{credentials?: RequestCredentials, onreceived?: (bytes: number, milliseconds: number) => void,
   *   onretry?: (error: unknown) => void}} options */
  constructor({ credentials = "same-origin", onreceived = () => {}, onretry = () => {} } = {}) {
    this.credentials = credentials;
    this.onreceived = onreceived;
    this.onretry = onretry;
  }

  /**
   * Bytes start … end-1 of a resource (end undefined: to its end).
   * @param {string} url
   * @param {{start?: number, end?: number, signal?: AbortSignal}} range
   * @returns {Promise<{bytes: Uint8Array<ArrayBuffer>, start: number, whole: boolean}>} start: where the bytes
   *   begin; whole: the server sent everything, because it knows no ranges or none was asked for
   * @throws NetworkError once all attempts failed; AbortError if the signal says so
   */
  async bytes(url, { start = 0, end = undefined, signal = undefined } = {}) {
    const ranged = start > 0 || end !== undefined;
    /** @type {Record<string, string>} */
    const headers = ranged ? { Range: `bytes=${start}-${end === undefined ? "" : end - 1}` } : {};
    const { body, status } = await this.#attempt(url, headers, signal, (response) => response.arrayBuffer());
    const bytes = new Uint8Array(body);
    return status === 206 ? { bytes, start, whole: false } : { bytes, start: 0, whole: true };
  }

  /** @param {string} url
   * @param {{signal?: AbortSignal}} options
   * @returns {Promise<string>} */
  async text(url, options = {}) {
    return (await this.document(url, options)).text;
  }

  /** A text and its address behind redirects. once: without a second attempt.
   * @param {string} url
   * @param {{signal?: AbortSignal, once?: boolean}} options
   * @returns {Promise<{text: string, url: string}>} */
  async document(url, { signal = undefined, once = false } = {}) {
    const read = (/** @type {Response} */ response) => response.text();
    // playlists of live streams change under the same name
    const got = once
      ? await this.#once(url, {}, signal, read, "no-cache")
      : await this.#attempt(url, {}, signal, read, "no-cache");
    return { text: got.body, url: got.url };
  }

  /** The time that a server gives with its answer, "" if it gives none that a page may see.
   * @param {string} url
   * @param {AbortSignal} [signal]
   * @returns {Promise<string>} */
  async date(url, signal) {
    const { credentials } = this;
    const response = await fetch(url, { method: "HEAD", cache: "no-store", credentials, signal });
    return response.headers.get("Date") ?? "";
  }

  /** @template {ArrayBuffer | string} T
   * @param {string} url
   * @param {Record<string, string>} headers
   * @param {AbortSignal | undefined} signal
   * @param {(response: Response) => Promise<T>} read
   * @param {RequestCache} cache
   * @returns {Promise<{body: T, status: number, url: string}>} */
  async #attempt(url, headers, signal, read, cache = "default") {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(url, headers, signal, read, cache);
      } catch (error) {
        if (signal?.aborted) throw error;
        const status = error instanceof NetworkError ? error.status : 0;
        const final = status >= 400 && status < 500 && status !== 429;
        if (final || attempt === PAUSES.length) throw error;
        this.onretry(error);
        await pause(PAUSES[attempt], signal);
      }
    }
  }

  /** @template {ArrayBuffer | string} T
   * @param {string} url
   * @param {Record<string, string>} headers
   * @param {AbortSignal | undefined} signal
   * @param {(response: Response) => Promise<T>} read
   * @param {RequestCache} cache
   * @returns {Promise<{body: T, status: number, url: string}>} */
  async #once(url, headers, signal, read, cache) {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    let response;
    /** @type {T | undefined} */
    let body;
    let answered;
    const { credentials } = this;
    const either = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      response = await fetch(url, { headers, cache, credentials, signal: either });
      answered = performance.now();
      if (response.ok) body = await read(response);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new NetworkError(`${shortName(url)}: the server does not answer`);
    }
    if (!response.ok || body === undefined)
      throw new NetworkError(
        `${shortName(url)}: the server answers ${response.status} ${response.statusText}`,
        response.status,
      );
    const size = typeof body === "string" ? body.length : body.byteLength;
    this.onreceived(size, performance.now() - answered);
    return { body, status: response.status, url: response.url || url };
  }
}

/** The last part of an address, for messages.
 * @param {string} url */
export function shortName(url) {
  const last = new URL(url, globalThis.location?.href).pathname.split("/").at(-1) || String(url);
  try {
    return decodeURIComponent(last);
  } catch {
    return last; // a percent sign that begins no escape
  }
}

/** @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>} */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
