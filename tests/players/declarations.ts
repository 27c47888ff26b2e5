// Holds the declarations for users of the player to its code: compiled by check-types, never run.
import { GVideoPlayer as Written } from "../../player/web/gvideo-player.js";
import { PlayerView as WrittenView } from "../../player/web/ui/controls.js";
import type { PlayerView } from "../../player/web/types/controls.d.ts";
import type { GVideoPlayer, PlayerOptions } from "../../player/web/types/gvideo-player.d.ts";

/** True if types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export const declared: typeof GVideoPlayer = Written;
export const declaredView: typeof PlayerView = WrittenView;
/** Every member that is declared is there, and can be set where it can be. */
export const names: Same<keyof GVideoPlayer, Exclude<keyof Written, "source" | "loadPreview">> = true;
/** Whoever sets a property may set what the code takes. */
type Set = Pick<Written, "currentTime" | "playbackRate" | "smooth" | "quality" | "view" | "resolution" | "grain" | "volume" | "muted">;
export const settable: Same<Set, Pick<GVideoPlayer, keyof Set>> = true;
export const options: Same<PlayerOptions | undefined, ConstructorParameters<typeof Written>[2]> = true;
