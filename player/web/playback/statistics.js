/** Numbers about what plays, for the panel and for tests; sizes in bytes, rates in bits/s, times in ms or named. */

/** @import { Position } from "../types/internal.d.ts" */
/** @import { Statistics } from "../types/gvideo-player.d.ts" */
/** @import { Screen } from "../render/screen.js" */
/** @import { Throughput } from "./abr.js" */
/** @import { SegmentStore } from "./store.js" */

/**
 * @param {{frame: number, time: number, place: Position | null, store: SegmentStore | null, screen: Screen | null,
 *   throughput: Throughput}} now where the player is, what is there, and its parts; null as long as nothing is known
 * @returns {Statistics}
 */
export function collect({ frame, time, place, store, screen, throughput }) {
  const decoded = place?.decoded;
  const entry = place && store ? store.get(place.segment) : null;
  return {
    frame,
    segment: place?.segment.number ?? null,
    gaussians: decoded?.numGaussians ?? 0,
    layers: decoded ? `${decoded.numLayers} of ${decoded.header.numLayers}` : "",
    quality: entry?.quality ?? null,
    segmentBytes: entry?.numBytes ?? 0,
    segmentRate: place && entry ? (8 * entry.numBytes) / place.segment.duration : 0,
    throughput: throughput.rate,
    bufferedSeconds: store?.bufferedAhead(time) ?? 0,
    fetchedBytes: store?.fetchedBytes ?? 0,
    upgrades: store?.upgrades ?? 0,
    decodeMs: store?.lastDecodeMs ?? 0,
    drawMs: screen?.drawMs ?? 0,
    drawnPerSecond: screen?.rate ?? 0,
    format: screen?.renderer.format.name ?? "",
    device: screen?.renderer.device ?? "",
    width: screen?.canvas.width ?? 0,
    height: screen?.canvas.height ?? 0,
  };
}
