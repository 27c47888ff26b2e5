/** Reads the playlist of a live source again and again, as often as it says, until it ends. */

/** @import { SegmentedSource } from "../source/segmented.js" */

const LEAST_MS = 500;

/** onchange(): segments came or went. onerror(error): a reading failed; the next one follows all the same. Ends with
 * the signal.
 * @param {SegmentedSource} source
 * @param {AbortSignal} signal
 * @param {{onchange: () => void, onerror: (error: unknown) => void}} hooks */
export function keepFresh(source, signal, { onchange, onerror }) {
  const again = async () => {
    try {
      if (await source.refresh(signal)) onchange();
    } catch (error) {
      if (!signal.aborted) onerror(error);
    }
    if (source.live && !signal.aborted) wait();
  };
  const wait = () => setTimeout(again, Math.max(1000 * source.updateSeconds, LEAST_MS));
  wait();
}
