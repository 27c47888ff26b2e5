// Plays manifests with the players of others in headless Chromium; prints a line of JSON for each.
// usage: node play.mjs CHROMIUM player=URL ...      player: hls, shaka, dash
import { chromium } from "playwright-core";
import { openPage } from "./others.mjs";

/** Runs in the page: attaches a player, plays to the end, then seeks. */
async function play({ player, url, rate }) {
  const video = document.querySelector("video");
  const found = { player, url, errors: [], waiting: 0, codecs: [], flashes: [], beeps: [] };
  const until = (what, test, seconds) =>
    new Promise((resolve) => {
      const stop = performance.now() + 1000 * seconds;
      const look = () => {
        if (test()) return resolve(true);
        if (performance.now() > stop || found.errors.length) { found.errors.push(`gave up: ${what}`); return resolve(false); }
        setTimeout(look, 20);
      };
      look();
    });
  video.muted = false;
  const close = await attachPlayer({ player, url, video, found });
  await until("metadata", () => video.readyState >= 2, 15);
  found.duration = video.duration;
  found.width = video.videoWidth;
  found.start = video.buffered.length ? video.buffered.start(0) : null;

  // a flash of the picture and a beep of the sound, in the time of the video element
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 4;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  let white = false;
  const onFrame = (_, meta) => {
    pen.drawImage(video, 0, 0, 4, 4);
    const now = pen.getImageData(1, 1, 1, 1).data[1] > 128;
    if (now && !white) found.flashes.push(meta.mediaTime);
    white = now;
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
  const audio = new AudioContext();
  const meter = new AnalyserNode(audio, { fftSize: 256 });
  audio.createMediaElementSource(video).connect(meter).connect(audio.destination);
  await audio.resume();
  const wave = new Float32Array(256);
  let loud = false;
  const timer = setInterval(() => {
    meter.getFloatTimeDomainData(wave);
    const now = wave.some((v) => Math.abs(v) > 0.1);
    if (now && !loud) found.beeps.push(video.currentTime);
    loud = now;
  }, 4);

  // a stall is a wait for media that are not there; a busy machine that decodes late is none
  const ahead = () => {
    for (let k = 0; k < video.buffered.length; k++)
      if (video.buffered.start(k) <= video.currentTime + 0.01 && video.currentTime < video.buffered.end(k))
        return video.buffered.end(k) - video.currentTime;
    return 0;
  };
  video.addEventListener("waiting", () => {
    if (!video.seeking && ahead() < 0.2 && video.currentTime < video.duration - 0.2) found.waiting += 1;
  });
  if (!found.errors.length) await until("buffer", () => ahead() > Math.min(4, video.duration - 0.5), 20);
  video.playbackRate = rate;
  if (!found.errors.length) await video.play().catch((e) => found.errors.push(String(e)));
  await until("end", () => video.ended, video.duration / rate + 12);
  clearInterval(timer);
  found.ended = video.ended;
  found.endedAt = video.currentTime;
  found.audioBytes = video.webkitAudioDecodedByteCount;
  found.droppedFrames = video.getVideoPlaybackQuality().droppedVideoFrames;
  found.totalFrames = video.getVideoPlaybackQuality().totalVideoFrames;
  found.seeks = [];
  if (!found.errors.length) {
    for (const target of [0.5, 0.1, 0.83]) {
      const wanted = Math.round(video.duration * target * 25) / 25 + 0.02;
      video.currentTime = wanted;
      await until(`seek to ${wanted}`, () => !video.seeking && video.readyState >= 2, 8);
      found.seeks.push([wanted, video.currentTime]);
    }
  }
  await close();
  return found;
}

const [, , executablePath, rate, ...jobs] = process.argv;
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
});
try {
  for (const job of jobs) {
    const at = job.indexOf("=");
    const [player, url] = [job.slice(0, at), job.slice(at + 1)];
    const page = await browser.newPage();
    const requests = [];
    page.on("response", (r) => requests.push([r.status(), new URL(r.url()).pathname, r.request().headers().range || ""]));
    await openPage(page, player, url);
    const found = await page.evaluate(play, { player, url, rate: Number(rate) });
    console.log(JSON.stringify({ ...found, requests }));
    await page.close();
  }
} finally {
  await browser.close();
}
