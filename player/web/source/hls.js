/** HLS with gsv1 in fragmented MP4: what its playlists offer, as rungs of a source (segmented.js). */

import { ContainerError, UnsupportedError } from "../codec/errors.js";
import { shortName } from "./http.js";
import { parsePlaylist } from "./playlist.js";
import { FALLBACK_CODEC, OWN_CODEC, SegmentedSource, usesCodec } from "./segmented.js";

/** @import { Http } from "./http.js" */
/** @import { Master, Media, Offer, Track } from "../types/internal.d.ts" */

/** A media playlist that is fetched when it is needed, and again while it grows. */
export class MediaPlaylist {
  /** As it was fetched last.
   * @type {Media | null} */
  media = null;
  /** @type {Promise<Media> | null} */
  #fetching = null;

  /** @param {Http} http
   * @param {string} url */
  constructor(http, url) {
    this.http = http;
    this.url = url;
  }

  /** The playlist; fetched once unless `again`: then as it is once it has more, where its server waits for that.
   * @param {AbortSignal} [signal]
   * @param {boolean} again
   * @returns {Promise<Media>} */
  async get(signal, again = false) {
    if (this.media && !again) return this.media;
    this.#fetching ??= this.#fetch(signal).finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  /** @param {AbortSignal} [signal] */
  async #fetch(signal) {
    const { media } = parsePlaylist(await this.#text(signal), this.url);
    if (!media) throw new ContainerError(`${shortName(this.url)}: a media playlist is wanted here`);
    this.media = media;
    return media;
  }

  /** @param {AbortSignal} [signal] */
  async #text(signal) {
    const following = this.media?.following;
    if (following) {
      try {
        const url = new URL(this.url);
        url.search += (url.search ? "&" : "?") + following;
        return await this.http.text(url.href, { signal, once: true });
      } catch (error) {
        if (signal?.aborted) throw error; // else what was waited for did not come
      }
    }
    return this.http.text(this.url, { signal });
  }
}

/** The source of a playlist, master or media.
 * @param {Http} http
 * @param {string} url
 * @param {AbortSignal} [signal] */
export async function openHls(http, url, signal) {
  const { master, media } = parsePlaylist(await http.text(url, { signal }), url);
  return SegmentedSource.open(http, url, master ? ofMaster(http, url, master) : ofMedia(http, url, media), signal);
}

/** @param {Http} http
 * @param {string} url
 * @param {Master} master
 * @returns {Offer} */
function ofMaster(http, url, master) {
  const own = master.variants.filter((variant) => usesCodec(variant, OWN_CODEC));
  if (own.length === 0) throw new UnsupportedError(`${shortName(url)}: none of its variants is ${OWN_CODEC} video`);
  const others = master.variants.filter((variant) => usesCodec(variant, FALLBACK_CODEC));
  own.sort((a, b) => (a.score ?? 0) - (b.score ?? 0) || a.bandwidth - b.bandwidth);
  const { audio: audioGroup, subtitles: subtitleGroup } = own[0];
  const codecs = own[0].codecs.filter((name) => !name.startsWith(OWN_CODEC));
  /** @param {string} type
   * @param {string | null} group */
  const renditions = (type, group) =>
    master.renditions.flatMap((r) =>
      r.type === type && r.group === group && r.url
        ? [{ ...r, codecs, playlist: new MediaPlaylist(http, r.url) }]
        : [],
    );
  const audio = renditions("AUDIO", audioGroup);
  const rungs = [...own, ...others.slice(0, 1)].map((v) => ({ ...v, playlist: new MediaPlaylist(http, v.url) }));
  return {
    rungs: rungs.slice(0, own.length),
    audio: audio.find((rendition) => rendition.isDefault) ?? audio[0] ?? null,
    captions: renditions("SUBTITLES", subtitleGroup),
    fallback: rungs[own.length] ?? null,
  };
}

/** @param {Http} http
 * @param {string} url
 * @param {Media | undefined} media
 * @returns {Offer} */
function ofMedia(http, url, media) {
  const playlist = new MediaPlaylist(http, url);
  playlist.media = media ?? null;
  return { rungs: [{ playlist }], audio: null, captions: [], fallback: null };
}
