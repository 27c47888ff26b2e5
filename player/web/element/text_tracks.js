/** Caption tracks as media elements give them (HTML, TextTrackList): at most one of them shows. */

/** @import { CaptionTrack } from "../playback/captions.js" */

/** One track. The text is put on screen by the element; there are no cue objects. */
class TextTrackOf {
  kind = "captions";
  cues = null;
  activeCues = null;
  /** @type {TextTrackMode} */
  #mode = "disabled";
  #onchange;

  /** @param {CaptionTrack} source
   * @param {number} number
   * @param {() => void} onchange */
  constructor(source, number, onchange) {
    this.source = source;
    this.id = String(number);
    this.label = source.name;
    this.language = source.language;
    this.#onchange = onchange;
  }

  get mode() {
    return this.#mode;
  }

  set mode(mode) {
    if (mode === this.#mode || !["disabled", "hidden", "showing"].includes(mode)) return;
    this.#mode = mode;
    this.#onchange();
  }
}

export class TextTracks extends EventTarget {
  /** @type {TextTrackOf[]} */
  #tracks = [];
  /** This list, whose tracks are had by number too. */
  #byIndex = /** @type {Record<number, TextTrackOf>} */ (/** @type {unknown} */ (this));

  get length() {
    return this.#tracks.length;
  }

  /** The track that shows, of those that the player knows; or null. */
  get showing() {
    return this.#tracks.find(({ mode }) => mode === "showing")?.source ?? null;
  }

  [Symbol.iterator]() {
    return this.#tracks[Symbol.iterator]();
  }

  /** @param {string} id */
  getTrackById(id) {
    return this.#tracks.find((track) => track.id === id) ?? null;
  }

  /** Takes other tracks in place of those that were there.
   * @param {CaptionTrack[]} sources */
  replace(sources) {
    const before = this.#tracks;
    before.forEach((_, k) => delete this.#byIndex[k]);
    this.#tracks = sources.map((source, k) => new TextTrackOf(source, k, () => this.#changed(k)));
    this.#tracks.forEach((track, k) => (this.#byIndex[k] = track));
    for (const track of before) this.dispatchEvent(trackEvent("removetrack", track));
    for (const track of this.#tracks) this.dispatchEvent(trackEvent("addtrack", track));
  }

  /** @param {number} changed */
  #changed(changed) {
    if (this.#tracks[changed].mode === "showing") {
      for (const [k, track] of this.#tracks.entries()) if (k !== changed) track.mode = "disabled";
    }
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {string} type
 * @param {TextTrackOf} track */
function trackEvent(type, track) {
  return Object.assign(new Event(type), { track });
}
