// Holds the declarations for users of the player to its code: compiled by check-types, never run.
import { GVideoPlayer as Written } from "../../player/web/gvideo-player.js";
import { GVideoElement as WrittenElement } from "../../player/web/element/element.js";
import { PlayerView as WrittenView } from "../../player/web/ui/controls.js";
import type { PlayerView } from "../../player/web/types/controls.d.ts";
import type { GVideoElement } from "../../player/web/types/element.d.ts";
import type { GVideoPlayer, PlayerOptions } from "../../player/web/types/gvideo-player.d.ts";

/** True if types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export const declared: typeof GVideoPlayer = Written;
export const declaredElement: typeof GVideoElement = WrittenElement;
export const declaredView: typeof PlayerView = WrittenView;
/** Every member that is declared is there, and can be set where it can be. */
export const names: Same<keyof GVideoPlayer, Exclude<keyof Written, "source" | "loadPreview">> = true;
/** Lifecycle callbacks are the browser's. */
type Callback = "connectedCallback" | "disconnectedCallback" | "attributeChangedCallback";
export const elementNames: Same<keyof GVideoElement, Exclude<keyof WrittenElement, Callback>> = true;
/** What it has in common with <video> is as it is there, but for ranges, tracks and the error, which are no platform objects. */
type Shared = Exclude<keyof WrittenElement & keyof HTMLVideoElement, "buffered" | "seekable" | "textTracks" | "error" | "preload">;
export const asVideo = (element: WrittenElement): Pick<HTMLVideoElement, Shared> => element;
export const found: GVideoElement | null = document.querySelector("gvideo-player");
/** Whoever sets a property may set what the code takes. */
type Set = Pick<Written, "currentTime" | "playbackRate" | "smooth" | "quality" | "adaptation" | "view" | "resolution" | "grain" | "volume" | "muted">;
export const settable: Same<Set, Pick<GVideoPlayer, keyof Set>> = true;
export const options: Same<PlayerOptions | undefined, ConstructorParameters<typeof Written>[2]> = true;
