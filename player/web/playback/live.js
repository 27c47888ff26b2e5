/** Reads the playlist of a live source again and again, as often as it says, until it ends. */

/** @import { SegmentedSource } from "../source/segmented.js" */

const LEAST_MS = 500;
/** Where the server holds its answer until there is more, or parts come. */
const LEAST_PART_MS = 100;

/** onchange(): segments came or went. onerror(error): a reading failed; the next one follows all the same. Ends with
 * the signal.
 * @param {SegmentedSource} source
 * @param {AbortSignal} signal
 * @param {{onchange: () => void, onerror: (error: unknown) => void}} hooks */
export function keepFresh(source, signal, { onchange, onerror }) {
  const again = async () => {
    let changed = false;
    try {
      changed = await source.refresh(signal);
      if (changed) onchange();
    } catch (error) {
      if (!signal.aborted) onerror(error);
    }
    if (source.live && !signal.aborted) wait(changed);
  };
  /** @param {boolean} changed */
  const wait = (changed) => {
    if (changed && source.isHeld) again();
    else setTimeout(again, Math.max(1000 * source.updateSeconds, source.inParts ? LEAST_PART_MS : LEAST_MS));
  };
  wait(true);
}
