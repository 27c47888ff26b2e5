/** The page: opens what its address names (?src=clip.gsv or ?src=master.m3u8), what is typed, chosen or dropped. */

import { rateText, make } from "./dom.js";
import { KEYS } from "./keys.js";
import { PlayerView } from "./controls.js";

const container = document.querySelector("#view");
const form = document.querySelector("#open");
const details = document.querySelector("#details");
const heading = document.querySelector("#name");
let view = null;

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
    const { width, height, timescale, frameDuration } = player.sequence;
    const fps = Math.round((100 * timescale) / frameDuration) / 100;
    const best = player.qualities.at(-1).bandwidth;
    const parts = [`${width}×${height}`, `${fps} frames/s`, player.live ? "live" : `${player.numFrames} frames`];
    if (best > 0) parts.push(rateText(best));
    details.textContent = parts.join(" · ");
  };
  player.addEventListener("ready", describe);
  // for those who look in from the console, and for tests
  window.player = player;
}

/** An address of what is on the page's own server, or anywhere that allows it. */
function openAddress(address) {
  const url = new URL(address, location.href);
  history.replaceState(null, "", `?src=${encodeURIComponent(address)}`);
  const parts = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const isPlaylist = /\.m3u8$/.test(url.pathname);
  open(url.href, (isPlaylist ? parts.at(-2) : parts.at(-1)) || url.host);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const address = new FormData(form).get("src").trim();
  if (address) openAddress(address);
});
form.querySelector("input[type=file]").addEventListener("change", ({ target }) => {
  if (target.files[0]) open(target.files[0], target.files[0].name);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) open(file, file.name);
});

const NAMES = { " ": "space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };
document
  .querySelector("#keys")
  .append(
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
