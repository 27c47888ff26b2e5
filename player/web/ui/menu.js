/** The settings: quality, speed, captions, pictures between frames, pixels. Plain radio buttons in groups. */

import { make, rateText } from "./dom.js";

/** @import { StatisticsPanel } from "./statistics.js" */
/** @import { GVideoPlayer } from "../gvideo-player.js" */
/** @import { CaptionTrack } from "../playback/captions.js" */
/** @import { Resolution } from "../types/gvideo-player.d.ts" */

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];

/** A value, what it is called, and a remark.
 * @template T
 * @typedef {[T, string, string]} Choice */

let groups = 0;

export class SettingsMenu {
  #player;

  /** @param {GVideoPlayer} player @param {StatisticsPanel} statistics */
  constructor(player, statistics) {
    this.#player = player;
    this.statistics = statistics;
    this.element = make("div", { className: "menu", hidden: true, role: "dialog", "aria-label": "Settings" });
  }

  /** Opens or closes; builds what there is to choose. */
  toggle(open = this.element.hidden) {
    if (open) this.#build();
    this.element.hidden = !open;
    const chosen = open && /** @type {HTMLElement | null} */ (this.element.querySelector("input:checked"));
    if (chosen) chosen.focus();
  }

  #build() {
    const player = this.#player;
    /** @type {Choice<"auto" | number>[]} */
    const qualities = player.qualities.map(({ label, bandwidth }, k) => [k, label, rateText(bandwidth)]);
    qualities.reverse();
    if (qualities.length > 1) qualities.unshift(["auto", "Auto", ""]);
    /** @type {Choice<"auto" | boolean>[]} */
    const between = [
      ["auto", "In slow motion", ""],
      [true, "Always", ""],
      [false, "Never", ""],
    ];
    /** @type {Choice<Resolution>[]} */
    const pixels = [
      ["display", "Of the screen", ""],
      ["source", "Of the video", ""],
    ];
    const parts = [
      this.#group(
        "Quality",
        qualities,
        qualities.length > 1 ? player.quality : 0,
        (value) => (player.quality = value),
      ),
      this.#group(
        "Speed",
        SPEEDS.map((speed) => [speed, `${speed}×`, ""]),
        player.playbackRate,
        (value) => (player.playbackRate = value),
        true,
      ),
      this.#group("Between frames", between, player.smooth, (value) => (player.smooth = value)),
      this.#group("Pixels", pixels, player.resolution, (value) => (player.resolution = value)),
    ];
    if (player.sequence?.grain) {
      /** @type {Choice<boolean>[]} */
      const grain = [
        [true, "Drawn", ""],
        [false, "Left out", ""],
      ];
      parts.push(this.#group("Grain", grain, player.grain, (value) => (player.grain = value)));
    }
    if (player.captionTracks.length > 0) {
      /** @type {Choice<CaptionTrack | null>[]} */
      const tracks = [[null, "Off", ""]];
      for (const track of player.captionTracks) tracks.push([track, track.name, ""]);
      parts.push(
        this.#group("Captions", tracks, player.captionTrack, (value) => (player.captionTrack = value)),
      );
    }
    const shown = make("input", {
      type: "checkbox",
      checked: !this.statistics.element.hidden,
      onchange: () => this.statistics.toggle(),
    });
    parts.push(make("fieldset", {}, make("label", {}, shown, make("span", {}, "Statistics"))));
    this.element.replaceChildren(...parts);
  }

  /** @template T
   * @param {string} title
   * @param {Choice<T>[]} choices
   * @param {T} current
   * @param {(value: T) => void} choose
   * @param {boolean} compact */
  #group(title, choices, current, choose, compact = false) {
    const name = `group-${groups++}`;
    const rows = choices.map(([value, label, remark]) => {
      const input = make("input", { type: "radio", name, checked: value === current, onchange: () => choose(value) });
      return make("label", {}, input, make("span", {}, label), make("small", {}, remark));
    });
    return make("fieldset", { className: compact ? "compact" : "" }, make("legend", {}, title), ...rows);
  }
}
