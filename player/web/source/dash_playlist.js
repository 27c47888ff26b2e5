/**
 * Representations of a DASH manifest as playlists over all of its periods.
 *
 *     picture   0     1     2     3        numbers that last: the same for what begins at the same time of a period,
 *     rungs     0     1     2     3        however often the manifest is read and whatever has left its window
 *     sound     0    1    2    3    4      numbers of its own; its first segment is placed by the picture's times
 */

/** @import { DashManifest } from "./dash_manifest.js" */
/** @import { Manifest, Media, MpdPeriod, Place, Representation } from "../types/internal.d.ts" */

/** Times of segments that begin together differ by less than this, whatever they are counted in; seconds. */
const SAME_S = 1e-3;

/** A segment without its number: time is its own, position that in its period, both in seconds.
 * @typedef {Omit<Place, "number"> & {time: number, position: number}} Listed */
/** @typedef {(listed: Listed[], signal?: AbortSignal) => Promise<Pick<Media, "segments" | "anchor">>} Numberer */
/** @typedef {(period: MpdPeriod) => Representation | undefined} Choice */

/** Numbers for what begins at a time of a period. */
class Numbering {
  /** @type {Map<string, number>} */
  #numbers = new Map();
  #next = 0;

  /** @param {number} part
   * @param {number} seconds
   * @returns {number | undefined} */
  find(part, seconds) {
    const place = Math.round(seconds / SAME_S);
    for (const near of [place, place - 1, place + 1]) {
      const number = this.#numbers.get(`${part} ${near}`);
      if (number !== undefined) return number;
    }
    return undefined;
  }

  /** The number that there is, or the next.
   * @param {number} part
   * @param {number} seconds */
  assign(part, seconds) {
    const found = this.find(part, seconds);
    if (found !== undefined) return found;
    this.#numbers.set(`${part} ${Math.round(seconds / SAME_S)}`, this.#next);
    return this.#next++;
  }

  /** @param {number} number */
  forgetBefore(number) {
    for (const [key, old] of this.#numbers) {
      if (old >= number) return;
      this.#numbers.delete(key);
    }
  }
}

/** One representation over all periods. */
class DashPlaylist {
  /** @type {Media | null} */
  #media = null;
  /** @type {Manifest | null} */
  #of = null;

  /** @param {DashManifest} manifest
   * @param {Choice} choose
   * @param {Numberer} number */
  constructor(manifest, choose, number) {
    this.manifest = manifest;
    this.choose = choose;
    this.number = number;
  }

  /** @param {AbortSignal} [signal]
   * @param {boolean} again
   * @returns {Promise<Media>} */
  async get(signal, again = false) {
    const manifest = await this.manifest.read(signal, again);
    if (this.#media && this.#of === manifest) return this.#media;
    const listed = await this.#list(manifest, signal);
    const numbered = await this.number(listed, signal);
    const longest = listed.reduce((most, { duration }) => Math.max(most, duration), 0);
    this.#media = {
      sequence: numbered.segments[0]?.number ?? 0,
      targetDuration: manifest.longest ?? longest,
      ended: manifest.ended,
      updateSeconds: manifest.updateSeconds || undefined,
      delaySeconds: manifest.delaySeconds ?? undefined,
      ...numbered,
    };
    this.#of = manifest;
    return this.#media;
  }

  /** @param {Manifest} manifest
   * @param {AbortSignal} [signal]
   * @returns {Promise<Listed[]>} */
  async #list({ periods }, signal) {
    /** @type {Listed[]} */
    const listed = [];
    for (const period of periods) {
      const chosen = this.manifest.named(() => this.choose(period));
      if (!chosen) continue;
      const discontinuity = this.manifest.partOf(period);
      let end = NaN;
      for (const { time, seconds, origin, ...place } of await this.manifest.segmentsOf(chosen, signal)) {
        const gap = time - end > SAME_S ? time - end : 0;
        const position = time - origin;
        listed.push({ ...place, time, position, duration: seconds, discontinuity, gap, origin });
        end = time + seconds;
      }
    }
    return listed;
  }
}

/** The playlist of the picture, by which all others are numbered or placed. */
export class PictureNumbers {
  #numbering = new Numbering();
  /** @type {(Listed & {number: number})[]} */
  #listed = [];

  /** @param {DashManifest} manifest
   * @param {Choice} choose */
  constructor(manifest, choose) {
    this.manifest = manifest;
    this.playlist = new DashPlaylist(manifest, choose, async (listed) => {
      this.#listed = numbered(listed, this.#numbering);
      return { segments: this.#listed };
    });
  }

  /** A representation whose segments begin where the picture's do; those that do not are left out.
   * @param {Choice} choose */
  aligned(choose) {
    return new DashPlaylist(this.manifest, choose, async (listed, signal) => {
      await this.playlist.get(signal);
      const segments = listed.flatMap((place) => {
        const number = this.#numbering.find(place.discontinuity, place.time);
        return number === undefined ? [] : [{ ...place, number }];
      });
      return { segments };
    });
  }

  /** A representation whose segments have lengths of their own.
   * @param {Choice} choose */
  beside(choose) {
    const numbering = new Numbering();
    return new DashPlaylist(this.manifest, choose, async (listed, signal) => {
      await this.playlist.get(signal);
      return { segments: numbered(listed, numbering), anchor: this.#anchorOf(listed[0]) };
    });
  }

  /** The segment of the picture that a segment begins in, or else the first of its period.
   * @param {Listed | undefined} place */
  #anchorOf(place) {
    if (!place) return undefined;
    const same = this.#listed.filter(({ discontinuity }) => discontinuity === place.discontinuity);
    const twin = same.filter(({ position }) => position <= place.position + SAME_S).at(-1) ?? same[0];
    return twin && { number: twin.number, seconds: place.position - twin.position };
  }
}

/** Segments with numbers; those that have left the list are forgotten.
 * @param {Listed[]} listed
 * @param {Numbering} numbering */
function numbered(listed, numbering) {
  const segments = listed.map((place) => ({ ...place, number: numbering.assign(place.discontinuity, place.time) }));
  if (segments.length > 0) numbering.forgetBefore(segments[0].number);
  return segments;
}
