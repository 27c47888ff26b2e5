// Plays a live stream with the players of others in headless Chromium, all at once; prints a line of JSON for each.
// usage: node live.mjs CHROMIUM SECONDS player=URL ...      player: hls, shaka, dash, dash-timeline (dash.js that takes
// the end of the stream from what is listed instead of the clock)
import { chromium } from "playwright-core";
import { openPage } from "./others.mjs";

/** Runs in the page: attaches a player, plays for some seconds, tells how far the picture came. */
async function watch({ player, url, seconds }) {
  const video = document.querySelector("video");
  const found = { player, errors: [], codecs: [], shown: 0, stood: 0, jumps: 0 };
  await attachPlayer({ player, url, video, found, live: true });
  // dash.js plays by itself
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
    await openPage(page, player, url, "muted");
    console.log(JSON.stringify(await page.evaluate(watch, { player, url, seconds: Number(seconds) })));
  }));
} finally {
  await browser.close();
}
