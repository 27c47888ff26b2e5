/** The page: opens what its address names (?src= a .gsv file, .m3u8 or .mpd), what is typed, chosen or dropped. */

import { rateText, make } from "./dom.js";
import { KEYS } from "./keys.js";
import { PlayerView } from "./controls.js";

/** An element of index.html.
 * @param {string} selector */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

const container = find("#view");
const form = /** @type {HTMLFormElement} */ (find("#open"));
const details = find("#details");
const heading = find("#name");
/** @type {PlayerView | null} */
let view = null;

/** @param {string | Blob} what
 * @param {string} name */
function open(what, name) {
  view?.dispose();
  form.classList.remove("first");
  container.hidden = false;
  heading.textContent = name;
  document.title = `${name} – gvideo`;
  details.textContent = "";
  view = new PlayerView(container, what, { keys: document });
  const { player } = view;
  const describe = () => {
    if (!player.sequence) return;
    const { width, height, timescale, frameDuration } = player.sequence;
    const fps = Math.round((100 * timescale) / frameDuration) / 100;
    const best = player.qualities.at(-1)?.bandwidth ?? 0;
    const parts = [`${width}×${height}`, `${fps} frames/s`, player.live ? "live" : `${player.numFrames} frames`];
    if (best > 0) parts.push(rateText(best));
    details.textContent = parts.join(" · ");
  };
  player.addEventListener("ready", describe);
  // for those who look in from the console, and for tests
  Object.assign(window, { player });
}

/** An address of what is on the page's own server, or anywhere that allows it.
 * @param {string} address */
function openAddress(address) {
  const url = new URL(address, location.href);
  history.replaceState(null, "", `?src=${encodeURIComponent(address)}`);
  const parts = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const isPlaylist = /\.(m3u8|mpd)$/.test(url.pathname);
  open(url.href, (isPlaylist ? parts.at(-2) : parts.at(-1)) || url.host);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const address = String(new FormData(form).get("src")).trim();
  if (address) openAddress(address);
});
const chosen = /** @type {HTMLInputElement} */ (find("#open input[type=file]"));
chosen.addEventListener("change", () => {
  const file = chosen.files?.[0];
  if (file) open(file, file.name);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) open(file, file.name);
});

/** @type {Record<string, string>} */
const NAMES = { " ": "space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };
find("#keys").append(
  ...KEYS.map(([keys, meaning]) =>
    make(
      "div",
      {},
      make("dt", {}, ...keys.map((key) => make("kbd", {}, NAMES[key] ?? key))),
      make("dd", {}, meaning),
    ),
  ),
);

/** What the address names, or else the presentation that lies beside the page. */
async function start() {
  const wanted = new URLSearchParams(location.search).get("src");
  const beside = "master.m3u8";
  if (wanted) openAddress(wanted);
  else if ((await fetch(beside, { method: "HEAD" }).catch(() => null))?.ok) openAddress(beside);
}

start();
