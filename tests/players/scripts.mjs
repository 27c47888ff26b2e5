// The players of others, for play.mjs and live.mjs.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The script of each player. */
export const SCRIPTS = {
  hls: require.resolve("hls.js/dist/hls.min.js"),
  shaka: require.resolve("shaka-player/dist/shaka-player.compiled.js"),
  dash: require.resolve("dashjs").replace(/dist\/.*$/, "dist/modern/umd/dash.all.min.js"),
};
