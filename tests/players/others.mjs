// The players of others, for play.mjs and live.mjs.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The script of each player. */
const SCRIPTS = {
  hls: require.resolve("hls.js/dist/hls.min.js"),
  shaka: require.resolve("shaka-player/dist/shaka-player.compiled.js"),
  dash: require.resolve("dashjs").replace(/dist\/.*$/, "dist/modern/umd/dash.all.min.js"),
};

/**
 * Runs in the page, as window.attachPlayer: has a player play an address in a video. What goes wrong is put into
 * found.errors, the codecs of what it chose into found.codecs. dash-timeline: dash.js that takes the window of a live
 * stream from its SegmentTimeline. Resolves with what takes the player away again.
 */
async function attachPlayer({ player, url, video, found, live = false }) {
  const attach = {
    hls: async () => {
      const hls = new Hls();
      const counts = (data) => data.fatal || (!live && /stall/i.test(data.details));
      hls.on(Hls.Events.ERROR, (_, data) => { if (counts(data)) found.errors.push(data.details); });
      hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => found.codecs.push(hls.levels[data.level].videoCodec));
      hls.loadSource(url);
      hls.attachMedia(video);
      return () => hls.destroy();
    },
    shaka: async () => {
      shaka.polyfill.installAll();
      const shown = new shaka.Player();
      await shown.attach(video);
      shown.addEventListener("error", (e) => found.errors.push(`shaka ${e.detail.code}`));
      try { await shown.load(url); } catch (e) { found.errors.push(`shaka ${e.code}`); }
      found.codecs.push(...shown.getVariantTracks().map((t) => t.videoCodec));
      return () => shown.destroy();
    },
    dash: async (calcFromSegmentTimeline = false) => {
      const shown = dashjs.MediaPlayer().create();
      shown.updateSettings({ debug: { logLevel: 0 }, streaming: { timeShiftBuffer: { calcFromSegmentTimeline } } });
      shown.on("error", (e) => found.errors.push(`dash ${e.error && e.error.code}`));
      // of a live stream it reads the manifest again only if it has seen the playback begin
      shown.initialize(video, url, live);
      shown.on("qualityChangeRendered", (e) => {
        if (e.mediaType === "video") found.codecs.push(e.newRepresentation?.codecs);
      });
      return () => shown.reset();
    },
  };
  return player === "dash-timeline" ? attach.dash(true) : attach[player]();
}

/** Opens a page with an empty video beside an address, and a player in it. */
export async function openPage(page, player, url, attributes = "") {
  await page.route("**/page-of-the-test", (route) =>
    route.fulfill({ contentType: "text/html", body: `<!doctype html><video width=320 ${attributes}></video>` }));
  await page.goto(new URL("/page-of-the-test", url).href);
  await page.addScriptTag({ path: SCRIPTS[player.split("-")[0]] });
  await page.addScriptTag({ content: `window.attachPlayer = ${attachPlayer}` });
}
