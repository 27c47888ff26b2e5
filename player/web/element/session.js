/** Media Session: what the system's own controls show of the element that plays, and do to it. */

/** @import { GVideoElement } from "./element.js" */

const SKIP_S = 10;
/** @type {GVideoElement | null} */
let shown = null;

/** Follows an element from its first play on; the one that played last is shown.
 * @param {GVideoElement} element */
export function follow(element) {
  const session = navigator.mediaSession;
  if (!session) return;
  element.addEventListener("play", () => show(element, session));
  element.addEventListener("pause", () => isShown(element) && (session.playbackState = "paused"));
  for (const name of ["seeked", "durationchange", "ratechange", "playing"])
    element.addEventListener(name, () => isShown(element) && place(element, session));
  element.addEventListener("emptied", () => isShown(element) && hide(session));
}

const isShown = (/** @type {GVideoElement} */ element) => shown === element;

/** @param {GVideoElement} element
 * @param {MediaSession} session */
function show(element, session) {
  session.playbackState = "playing";
  if (isShown(element)) return;
  shown = element;
  const name = element.currentSrc.split(/[?#]/)[0].split("/").at(-1) ?? "";
  session.metadata = new MediaMetadata({
    title: element.title || element.getAttribute("aria-label") || name,
    artwork: element.poster ? [{ src: element.poster }] : [],
  });
  for (const [action, act] of actionsOf(element)) session.setActionHandler(action, act);
  place(element, session);
}

/** @param {MediaSession} session */
function hide(session) {
  if (shown) for (const [action] of actionsOf(shown)) session.setActionHandler(action, null);
  shown = null;
  session.metadata = null;
  session.playbackState = "none";
}

/** @param {GVideoElement} element
 * @returns {[MediaSessionAction, MediaSessionActionHandler][]} */
function actionsOf(element) {
  const to = (/** @type {number} */ seconds) => (element.currentTime = seconds);
  return [
    ["play", () => element.play()],
    ["pause", () => element.pause()],
    ["stop", () => (element.pause(), to(0))],
    ["seekbackward", ({ seekOffset }) => to(element.currentTime - (seekOffset ?? SKIP_S))],
    ["seekforward", ({ seekOffset }) => to(element.currentTime + (seekOffset ?? SKIP_S))],
    ["seekto", ({ seekTime }) => to(seekTime ?? 0)],
  ];
}

/** @param {GVideoElement} element
 * @param {MediaSession} session */
function place({ duration, currentTime, playbackRate }, session) {
  if (duration > 0) session.setPositionState({ duration, playbackRate, position: Math.min(currentTime, duration) });
}
