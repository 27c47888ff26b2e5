// What a user of the npm package writes; compiled against the packed package, never run.
import { GVideoPlayer, type Quality, type Statistics } from "gvideo-player";
import { PlayerView } from "gvideo-player/controls";

const canvas = document.querySelector("canvas") as HTMLCanvasElement;
const player = new GVideoPlayer(canvas, "clip.gsv", { resolution: "source", autoplay: true });
player.addEventListener("ready", () => player.play());
player.addEventListener("error", (event) => console.log(event.detail.message.toUpperCase()));
const best: Quality | undefined = player.qualities.at(-1);
player.quality = best ? player.qualities.indexOf(best) : "auto";
player.view = { x: 0, y: 0, width: 0.5, height: 0.5 };
const numbers: Statistics = player.statistics;
const when: Promise<void> = player.seekFrame(numbers.frame + 1);
const pixels: Uint8ClampedArray = player.snapshot().data;
const view = new PlayerView(document.body, new Blob([]), { keys: document });
const track: string | undefined = view.player.captionTracks[0]?.name;
console.log(when, pixels, track, player.sequence?.bitDepth, player.timeline?.numFrames);

import "gvideo-player/element";
const element = document.createElement("gvideo-player");
Object.assign(element, { src: "clip.gsv", controls: true });
element.play().then(() => console.log(element.buffered.end(0), element.player?.qualities.length));
element.captureStream(25).getVideoTracks();

// @ts-expect-error: nobody sets what is buffered
element.buffered = null;
// @ts-expect-error: notices have text alone
player.addEventListener("notice", (event) => event.detail.code);
// @ts-expect-error: a quality is a number or "auto"
player.quality = "best";
// @ts-expect-error: nobody sets the duration
player.duration = 3;
