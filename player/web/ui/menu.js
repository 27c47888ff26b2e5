/** The settings: quality, speed, captions, pictures between frames, pixels. Plain radio buttons in groups. */

import { make, rateText } from "./dom.js";

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];

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
    if (open) this.element.querySelector("input:checked")?.focus();
  }

  #build() {
    const player = this.#player;
    const qualities = player.qualities.map(({ label, bandwidth }, k) => [k, label, rateText(bandwidth)]).reverse();
    const parts = [
      this.#group(
        "Quality",
        qualities.length > 1 ? [["auto", "Auto", ""], ...qualities] : qualities,
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
      this.#group(
        "Between frames",
        [
          ["auto", "In slow motion", ""],
          [true, "Always", ""],
          [false, "Never", ""],
        ],
        player.smooth,
        (value) => (player.smooth = value),
      ),
      this.#group(
        "Pixels",
        [
          ["display", "Of the screen", ""],
          ["source", "Of the video", ""],
        ],
        player.resolution,
        (value) => (player.resolution = value),
      ),
    ];
    if (player.sequence.grain) {
      const choices = [
        [true, "Drawn", ""],
        [false, "Left out", ""],
      ];
      parts.push(this.#group("Grain", choices, player.grain, (value) => (player.grain = value)));
    }
    if (player.captionTracks.length > 0) {
      const tracks = player.captionTracks.map((track) => [track, track.name, ""]);
      parts.push(
        this.#group(
          "Captions",
          [[null, "Off", ""], ...tracks],
          player.captionTrack,
          (value) => (player.captionTrack = value),
        ),
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

  #group(title, choices, current, choose, compact = false) {
    const name = `group-${groups++}`;
    const rows = choices.map(([value, label, remark]) => {
      const input = make("input", { type: "radio", name, checked: value === current, onchange: () => choose(value) });
      return make("label", {}, input, make("span", {}, label), make("small", {}, remark));
    });
    return make("fieldset", { className: compact ? "compact" : "" }, make("legend", {}, title), ...rows);
  }
}
