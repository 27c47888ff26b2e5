// Plays a live stream with the players of others in headless Chromium, all at once; prints a line of JSON for each.
// usage: node live.mjs CHROMIUM SECONDS player=URL ...      player: hls, shaka, dash, dash-timeline (dash.js that takes
// the end of the stream from what is listed instead of the clock)
import { chromium } from "playwright-core";
import { SCRIPTS } from "./scripts.mjs";

/** Runs in the page: attaches a player, plays for some seconds, tells how far the picture came. */
async function watch({ player, url, seconds }) {
  const video = document.querySelector("video");
  const found = { player, errors: [], codecs: [], shown: 0, stood: 0, jumps: 0 };
  const attach = {
    hls: async () => {
      const hls = new Hls();
      hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) found.errors.push(data.details); });
      hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => found.codecs.push(hls.levels[data.level].videoCodec));
      hls.loadSource(url);
      hls.attachMedia(video);
    },
    shaka: async () => {
      shaka.polyfill.installAll();
      const shown = new shaka.Player();
      await shown.attach(video);
      shown.addEventListener("error", (e) => found.errors.push(`shaka ${e.detail.code}`));
      try { await shown.load(url); } catch (e) { found.errors.push(`shaka ${e.code}`); }
      found.codecs.push(...shown.getVariantTracks().map((t) => t.videoCodec));
    },
    dash: async (calcFromSegmentTimeline = false) => {
      const shown = dashjs.MediaPlayer().create();
      shown.updateSettings({ debug: { logLevel: 0 }, streaming: { timeShiftBuffer: { calcFromSegmentTimeline } } });
      shown.on("error", (e) => found.errors.push(`dash ${e.error && e.error.code}`));
      shown.initialize(video, url, true);
      shown.on("qualityChangeRendered", (e) => { if (e.mediaType === "video") found.codecs.push(e.newRepresentation?.codecs); });
    },
  };
  attach["dash-timeline"] = () => attach.dash(true);
  await attach[player]();
  // dash.js plays by itself, and reads the manifest again only if it has seen the playback begin
  if (!player.startsWith("dash")) video.play().catch((e) => found.errors.push(String(e)));
  let before = null;
  for (const stop = performance.now() + 1000 * seconds; performance.now() < stop;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (!video.readyState) continue;
    const step = video.currentTime - (before ?? video.currentTime);
    if (step > 1 || step < 0) found.jumps += 1;
    else found.shown += step;
    if (before !== null && step === 0) found.stood += 0.05;
    before = video.currentTime;
  }
  found.at = video.currentTime;
  found.frames = video.getVideoPlaybackQuality().totalVideoFrames;
  found.audioBytes = video.webkitAudioDecodedByteCount;
  return found;
}

const [, , executablePath, seconds, ...jobs] = process.argv;
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
});
try {
  await Promise.all(jobs.map(async (job) => {
    const at = job.indexOf("=");
    const [player, url] = [job.slice(0, at), job.slice(at + 1)];
    const page = await (await browser.newContext()).newPage();
    await page.route("**/page-of-the-test", (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><video width=320 muted></video>" }));
    await page.goto(new URL("/page-of-the-test", url).href);
    await page.addScriptTag({ path: SCRIPTS[player.split("-")[0]] });
    console.log(JSON.stringify(await page.evaluate(watch, { player, url, seconds: Number(seconds) })));
  }));
} finally {
  await browser.close();
}
