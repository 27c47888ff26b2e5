/** DASH with gsv1 in fragmented MP4: what a manifest offers, as rungs of a source (segmented.js). */

import { UnsupportedError } from "../codec/errors.js";
import { DashManifest } from "./dash_manifest.js";
import { PictureNumbers } from "./dash_playlist.js";
import { shortName } from "./http.js";
import { FALLBACK_CODEC, OWN_CODEC, SegmentedSource, usesCodec } from "./segmented.js";

/** @import { Http } from "./http.js" */
/** @import { Manifest, MpdPeriod, Offer, Representation } from "../types/internal.d.ts" */

/** The source of a manifest.
 * @param {Http} http
 * @param {string} url
 * @param {AbortSignal} [signal] */
export async function openDash(http, url, signal) {
  const manifest = new DashManifest(http, url);
  return SegmentedSource.open(http, url, offerOf(manifest, await manifest.read(signal)), signal);
}

/** @param {DashManifest} manifest
 * @param {Manifest} first as it was read first
 * @returns {Offer} */
function offerOf(manifest, { periods }) {
  const period = periods.find((p) => ownOf(p).length > 0);
  if (!period) {
    const hidden = periods.some((p) => p.representations.some((r) => r.isProtected && usesCodec(r, OWN_CODEC)));
    const why = hidden ? "is encrypted, which this player does not read" : `is ${OWN_CODEC} video`;
    throw new UnsupportedError(`${shortName(manifest.url)}: ${hidden ? "what it offers" : "nothing in it"} ${why}`);
  }
  const picture = new PictureNumbers(manifest, (p) => rungOf(p, period, 0));
  const rungs = ownOf(period).map((r, k) => ({
    ...variantOf(r, manifest.url),
    playlist: k === 0 ? picture.playlist : picture.aligned((p) => rungOf(p, period, k)),
  }));
  /** @param {Representation} r
   * @param {(one: Representation) => boolean} wanted */
  const trackOf = (r, wanted) => ({
    name: r.name || r.language,
    language: r.language,
    codecs: r.codecs,
    playlist: picture.beside((p) => alikeOf(p.representations.filter(wanted), r)),
  });
  const sounds = period.representations.filter(isSound);
  const sound = sounds.find(({ isMain }) => isMain) ?? sounds[0];
  const other = period.representations.find(isFallback);
  return {
    rungs,
    audio: sound ? trackOf(sound, isSound) : null,
    captions: period.representations.filter(isCaptions).map((r) => trackOf(r, isCaptions)),
    fallback: other ? { ...variantOf(other, manifest.url), playlist: trackOf(other, isFallback).playlist } : null,
  };
}

const isSound = (/** @type {Representation} */ r) => r.kind === "audio" && !r.isProtected;
const isCaptions = (/** @type {Representation} */ r) => r.mime === "text/vtt";
const isFallback = (/** @type {Representation} */ r) => usesCodec(r, FALLBACK_CODEC) && !r.isProtected;

/** @param {Representation} r
 * @param {string} url */
function variantOf({ bandwidth, averageBandwidth, score, codecs, width, height }, url) {
  return { url, bandwidth, averageBandwidth, score, codecs, width, height, audio: null, subtitles: null };
}

/** A period's Gaussian video, the poorest first.
 * @param {MpdPeriod} period */
function ownOf({ representations }) {
  const own = representations.filter((r) => usesCodec(r, OWN_CODEC) && !r.isProtected);
  return own.sort((a, b) => (a.score ?? 0) - (b.score ?? 0) || a.bandwidth - b.bandwidth);
}

/** The representation of a period that goes on as rung k of the one that was there first.
 * @param {MpdPeriod} period
 * @param {MpdPeriod} first
 * @param {number} k */
function rungOf(period, first, k) {
  const [own, wanted] = [ownOf(period), ownOf(first)];
  const same = own.find(({ id }) => id === wanted[k].id);
  if (same) return same;
  if (own.length === wanted.length) return own[k];
  throw new UnsupportedError(`period ${period.id} offers ${own.length} qualities, the first one ${wanted.length}`);
}

/** The one of `some` that goes on where another ended: by its name, else by its language.
 * @param {Representation[]} some
 * @param {Representation} other */
function alikeOf(some, { id, language }) {
  return some.find((r) => r.id === id) ?? some.find((r) => r.language === language);
}
