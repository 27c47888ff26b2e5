/** The keyboard: one table, which the help lists too. */

import { SPEEDS } from "./menu.js";

/** @import { PlayerView } from "./controls.js" */
/** @import { GVideoPlayer } from "../gvideo-player.js" */

const SKIP_S = 5;
const VOLUME_STEP = 0.05;

/** @param {GVideoPlayer} player
 * @param {number} direction */
function changeSpeed(player, direction) {
  const at = SPEEDS.indexOf(player.playbackRate);
  player.playbackRate = SPEEDS[Math.min(Math.max(at + direction, 0), SPEEDS.length - 1)] ?? 1;
}

/** [keys, what they do, action(player, ui)].
 * @type {[string[], string, (player: GVideoPlayer, ui: PlayerView, key: string) => void][]} */
export const KEYS = [
  [[" ", "k"], "play or pause", (player, ui) => ui.togglePlay()],
  [
    ["ArrowLeft", "ArrowRight"],
    "5 seconds back or on",
    (player, ui, key) => player.seek(player.currentTime + (key === "ArrowLeft" ? -SKIP_S : SKIP_S)),
  ],
  [[",", "."], "a frame back or on", (player, ui, key) => player.step(key === "," ? -1 : 1)],
  [
    ["Home", "End"],
    "to the start or the end",
    (player, ui, key) => player.seek(player.seekable[key === "Home" ? 0 : 1]),
  ],
  [["<", ">"], "slower or faster", (player, ui, key) => changeSpeed(player, key === "<" ? -1 : 1)],
  [
    ["ArrowDown", "ArrowUp"],
    "volume",
    (player, ui, key) => (player.volume += key === "ArrowUp" ? VOLUME_STEP : -VOLUME_STEP),
  ],
  [["m"], "sound on or off", (player) => (player.muted = !player.muted)],
  [["+", "-", "0"], "zoom in, out, back", (player, ui, key) => ui.zoom(key)],
  [["c"], "captions", (player, ui) => ui.toggleCaptions()],
  [["f"], "full screen", (player, ui) => ui.toggleFullscreen()],
  [["i"], "statistics", (player, ui) => ui.toggleStatistics()],
  [["Escape"], "close", (player, ui) => ui.closeMenu()],
];

/** Keys where they already mean something: typing, and moving along a slider or a choice.
 * @param {KeyboardEvent} event */
function isTaken(event) {
  const { target, key } = event;
  if (!(target instanceof Element)) return false;
  if (target.matches("input[type=text], input[type=url], textarea")) return true;
  if (target.matches("input[type=range], input[type=radio]"))
    return key.startsWith("Arrow") || key === "Home" || key === "End";
  return target.matches("button, a, summary") && (key === " " || key === "Enter");
}

/** Listens on an element; returns the function that ends it.
 * @param {HTMLElement | Document} element
 * @param {GVideoPlayer} player
 * @param {PlayerView} ui */
export function listen(element, player, ui) {
  /** @param {Event} event */
  const onkeydown = (event) => {
    if (!(event instanceof KeyboardEvent)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
    const found = KEYS.find(([keys]) => keys.includes(event.key));
    if (!found || !player.timeline) return;
    event.preventDefault();
    found[2](player, ui, event.key);
    ui.wake();
  };
  element.addEventListener("keydown", onkeydown);
  return () => element.removeEventListener("keydown", onkeydown);
}
